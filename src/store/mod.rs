//! The run directory: every path spelled once, journals, atomic JSON, locks. Never decides verdicts.
