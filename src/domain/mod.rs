//! The values and rules of Road Runner. Pure: never files, clock, environment, threads.
