"""Many runs on one lake and one table at the end: searches, sweeps, and the tables of the paper."""
