"""What tests and benchmarks share: fakes of the ports, and the pipeline over them."""
