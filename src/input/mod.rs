//! YAML text to domain values, with errors that point at file, line and column. Never judges safety, never starts anything.
