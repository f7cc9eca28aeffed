//! What tests need of the machine beside the program: a tool that is not there, or something that we may not do, is said and
//! passed over, unless `ROAD_RUNNER_REQUIRE_TOOLS=1` asks for everything.

/// Says what is passed over and why, or fails.
pub fn skipped(why: &str) {
    let required = std::env::var_os("ROAD_RUNNER_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "{why}, and ROAD_RUNNER_REQUIRE_TOOLS asks for it");
    eprintln!("skipped: {why}");
}
