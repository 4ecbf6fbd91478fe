//! What `#[dna::actor]` refuses and how it says so, one rule each; and what it takes.

#[test]
fn every_broken_rule_is_told_on_its_token() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    for topic in ["block", "bounds", "hooks", "names", "options", "several", "signature"] {
        cases.compile_fail(format!("tests/ui/{topic}/*.rs"));
    }
}
