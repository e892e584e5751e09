//! The folder of all files, moved away and back while the server runs.

use super::files::shell;
use super::*;
use crate::harness::querier::Querier;

#[test]
fn a_folder_moved_away_finds_its_place_free_when_it_comes_back() {
    let lab = prepared();
    // The socket of `status` stays where it is.
    let config = lab.read("lastgood.toml");
    let elsewhere = config.replace("data/demo.sock", "demo.sock");
    assert_ne!(config, elsewhere);
    lab.write("lastgood.toml", &elsewhere);
    let mut lab = lab;
    lab.start();
    acknowledge(&lab, "before");
    lab.settle(ZONE);
    let querier = Querier::of_demo(lab.v4());
    let away = lab.path("away").display().to_string();
    let folder = lab.path("data").display().to_string();
    shell(&lab, &format!("mv '{folder}' '{away}'"));
    let status = lab.until(ZONE, "holding");
    assert!(status["reason"].to_string().contains("is gone"), "{status}");
    refuses_with_not_ready(&lab);
    eventually("a snapshot was tried", || {
        let said = lab.cli(&["--json", "status"]).json();
        match said["snapshot"]["trouble"].is_string() {
            true => Ok(()),
            false => Err(said.to_string()),
        }
    });
    assert!(!lab.path("data").exists(), "nobody makes another");
    shell(&lab, &format!("mv '{away}' '{folder}'"));
    live(&lab);
    acknowledge(&lab, "after");
    lab.settle(ZONE);
    querier.end();
    lab.cli(&["verify"]).expect_ok();
    lab.restart();
    live(&lab);
    for name in ["before", "after"] {
        is_there(&lab, name);
    }
}
