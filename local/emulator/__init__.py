"""The local cloud: AWS's services on this machine, deployed from the template."""
