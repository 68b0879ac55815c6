//! Descriptors that are shared: fork, dup, two programs on one span.

use crate::client::{BLOCK, Served, errno, until_in_call};
use dahdi_abi::request;
use std::{
    io::{Read, Write},
    os::fd::AsFd,
    process::{Command, Stdio},
};

#[test]
fn a_duplicate_keeps_the_channel_until_the_last_is_closed() {
    let served = Served::start();
    let first = served.channel(1, 4);
    let second = first.as_fd().try_clone_to_owned().expect("dup");
    drop(first);
    assert_eq!(errno(served.open("1", libc::O_NONBLOCK)), Some(libc::EBUSY));
    let mut second = std::fs::File::from(second);
    assert_eq!(second.write(&[0; BLOCK]).expect("it writes on"), BLOCK);
    drop(second);
    served.open("1", libc::O_NONBLOCK).expect("free");
}

#[test]
fn a_child_has_its_parents_channel() {
    let served = Served::start();
    let near = served.open("1", 0).expect("a channel");
    near.set_buffers(8);
    // The child has the descriptor as its standard input, and keeps the channel when the parent closes its own.
    let input = near.as_fd().try_clone_to_owned().expect("dup");
    let mut child = Command::new("head")
        .args(["-c", "480"])
        .stdin(Stdio::from(input))
        .stdout(Stdio::piped())
        .spawn()
        .expect("head runs");
    drop(near);
    let far = served.channel(32, 8);
    assert_eq!(far.write(&[0x11; BLOCK]).expect("room"), BLOCK);
    let mut heard = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut heard).expect("it ends");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(heard.len(), 480);
    served.open("1", libc::O_NONBLOCK).expect("free with the child");
}

#[test]
fn a_killed_child_leaves_the_channel_with_its_parent() {
    let served = Served::start();
    let node = served.open("16", 0).expect("the D-channel");
    let input = node.as_fd().try_clone_to_owned().expect("dup");
    let mut child =
        Command::new("cat").stdin(Stdio::from(input)).stdout(Stdio::null()).spawn().expect("cat runs");
    until_in_call(child.id(), child.id() as i32, libc::SYS_read);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(errno(served.open("16", libc::O_NONBLOCK)), Some(libc::EBUSY), "the parent has it still");
    assert_eq!(node.get(request::CHANNO), 16);
}

#[test]
fn two_programs_share_a_span() {
    let served = Served::start();
    let near = served.channel(2, 8);
    // Another program on the neighbouring channel of the same span.
    let mut other = Command::new("cat")
        .arg(served.dir().join("3"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("cat runs");
    until_in_call(other.id(), other.id() as i32, libc::SYS_read);
    assert_eq!(errno(served.open("3", libc::O_NONBLOCK)), Some(libc::EBUSY));
    assert_eq!(near.write(&[1; BLOCK]).expect("undisturbed"), BLOCK);
    // An alarm is told to both; it ends the other one's read with ELAST.
    served.alarm("1", "red");
    assert_eq!(near.get(request::GETEVENT), dahdi_abi::event::ALARM);
    other.kill().expect("it may have ended");
    other.wait().expect("it ends");
    served.open("3", libc::O_NONBLOCK).expect("free");
}
