//! A program of another maker under `hw-sim run`: libpri at both ends of the cable that only these two see.

use demarc_tests::{
    exchange::{Cleared, Exchange, Side},
    place,
    world::World,
};
use serde_json::json;
use std::{path::Path, process::Command};

#[test]
fn libpri_runs_unmodified_at_dev_dahdi() {
    let _alone = place::real_time();
    let world = World::new("run-libpri");
    let mut sim = Command::new(place::program("hw-sim"));
    sim.args(["run", "--"]);
    let dahdi = Path::new("/dev/dahdi");
    let mut network = Exchange::start_by("network", sim, dahdi, 1, Side::Network, &world.logs);
    // Another program in the same name space.
    let mut beside = Command::new("nsenter");
    beside.args(["--mount", "--target", &network.id().to_string(), "--"]);
    let mut user = Exchange::start_by("user", beside, dahdi, 32, Side::User, &world.logs);
    network.wait_link();
    user.wait_link();
    user.rule("5551000", "answer", json!({}));
    network.call("a", "4951", "5551000", json!({}));
    let there = user.offered(1);
    network.call_event("answered", "a");
    network.hang_up("a", 16);
    assert_eq!(user.cleared(&there), Cleared { cause: 16, by_peer: true, answered: true });
}
