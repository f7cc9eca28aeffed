//! Executes a plan: one process tree per step, limits, cancel ladder. Never prints, renders or reads YAML.
