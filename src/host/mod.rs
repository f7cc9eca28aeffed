//! What machine this is: facts for matching, the sysinfo snapshot, drift. Never knows of flows or plans.
