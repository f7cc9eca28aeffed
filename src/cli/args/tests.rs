//! What can be typed, and what is refused.

use super::*;

fn check(line: &str, expected: &str) {
    let said = match parse(line.split(' ').map(OsString::from)) {
        Ok(arguments) => format!("{:?}", arguments.command),
        Err(error) => {
            let text = error.to_string();
            assert_eq!(error.exit_code(), 2, "{line}: {text}");
            text.lines().next().unwrap_or_default().to_owned()
        }
    };
    assert!(said.contains(expected), "{line}\n{said}");
}

#[test]
fn the_definitions_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn what_can_be_typed() {
    check("road_runner", "None");
    check("road_runner plan --flow f --margin m --seed 7", "seed: Some(7)");
    check("road_runner plan --flow f", "required arguments were not provided");
    check("road_runner plan --flow f --margin m --seed 0", "invalid value '0' for '--seed <N>'");
    check("road_runner plan --flow f --margin m --seed 2147483648", "invalid value '2147483648'");
    check("road_runner run --plan x --unit u", "plan: Some(\"x\")");
    check("road_runner run --plan x --flow f --margin m", "cannot be used with");
    check("road_runner run --plan x --seed 3", "cannot be used with");
    check("road_runner run", "required arguments were not provided");
    check("road_runner run --flow f --margin m --max-fail 0", "invalid value '0'");
    check("road_runner rerun x --subruns s03,7", "subruns: Some(\"s03,7\")");
    check("road_runner rerun x --subruns s,7", "invalid value 's,7'");
    check("road_runner rerun x --subruns +3", "invalid value '+3'");
    check("road_runner rerun x --failed --subruns 1", "cannot be used with");
    check("road_runner runs stop x --now", "now: true");
    check("road_runner run --plan x --yes --detached --confirmed ab12", "detached: true, confirmed: Some(\"ab12\")");
    check("road_runner run --plan x --detached", "required arguments were not provided");
    check("road_runner runs list --filter -fail", "filter: Some(\"-fail\")");
    check("road_runner runs compare", "required arguments were not provided");
    check("road_runner runs compare x", "then: \"x\", now: \"latest\"");
    check("road_runner list-flows -q -v", "cannot be used with");
    check("road_runner resume", "required arguments were not provided");
    check("road_runner resume x --last", "cannot be used with");
    check("road_runner resume --auto --yes", "cannot be used with");
    check("road_runner resume --last --retry-crashed 2", "retry_crashed: 2, max_boots: 3");
    check("road_runner resume x --yes --detached --confirmed ab12", "detached: true, confirmed: Some(\"ab12\")");
    check("road_runner resume x --max-boots 0", "invalid value '0'");
    check("road_runner clean", "required arguments were not provided");
    check("road_runner clean --older-than 30 --keep 5", "older_than: 30, keep: 5, dry_run: false, force: false");
    check("road_runner clean --older-than -1", "unexpected argument '-1'");
    check("road_runner clean --older-than 1.5", "invalid value '1.5'");
    check("road_runner completions tcsh", "invalid value 'tcsh'");
    check("road_runner --theme x --ascii --no-motion", "None");
    check("road_runner list-flows --themes x", "unexpected argument '--themes'");
    check("road_runner themes list", "Themes(List)");
    check(&format!("road_runner plan --flow f --margin m --unit {}", "x".repeat(129)), "invalid value");
    check("road_runner plan --flow f --margin m --unit a\tb", "invalid value");
    check("road_runner plan --flow f --margin m --unit=", "invalid value ''");
}
