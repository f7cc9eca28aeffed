//! Tests of run_state.
