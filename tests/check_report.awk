# Checks the CSV report of the small sample without any code of ours: make check-report.
BEGIN { FS = "," }
NR == 1 { if ($1 != "store_id" || NF != 7) { print "wrong header"; exit 1 } next }
NF != 7 { print "wrong row " NR; exit 1 }
$1 <= last { print "row " NR " is out of order"; exit 1 }
$2 + $5 > 60 || $3 + $6 > 24.01 || $4 + $7 > 168.01 { print "row " NR " is too long"; exit 1 }
{ last = $1; up += $4; down += $7 }
END { if (NR != 92 || !up || !down) { print "wrong report: " NR " lines"; exit 1 } }
