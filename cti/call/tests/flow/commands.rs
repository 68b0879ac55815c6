//! What is asked of calls, and what is refused.

use crate::bench::*;
use demarc_call::{
    AgentEvent, CallCommand, CommandError, Output, Plan, RecordAction, RecordFormat, RecordPlan,
    recorded_call,
};
use demarc_model::{CallId, Cause, LegEvent as E, MediaCommand as M, MediaEvent};

pub fn talking() -> Bench {
    let mut bench = Bench::new(plan());
    bench.agent(AgentEvent::Available);
    bench.call("100");
    bench.digit('2');
    bench.leg(B, E::Answered);
    bench
}

fn record(bench: &mut Bench, action: RecordAction) -> Result<Vec<Output>, CommandError> {
    bench.command(CallCommand::Record { action })
}

fn begins(file: &str) -> Output {
    Output::Media(M::Record { leg: A, file: file.into() })
}

fn refused(result: Result<Vec<Output>, CommandError>) -> bool {
    matches!(result, Err(CommandError::NotNow { call: CallId(1), .. }))
}

#[test]
fn a_call_is_hung_up_once_and_with_the_cause_that_is_asked_for() {
    let mut bench = talking();
    let hangup = |cause| CallCommand::Hangup { cause: Cause(cause) };
    assert!(matches!(bench.command(hangup(0)), Err(CommandError::Invalid(_))));
    assert!(matches!(bench.command(hangup(128)), Err(CommandError::Invalid(_))));
    let parted = [Output::Media(M::Split { leg: A }), release(B, 21), release(A, 21)];
    assert_eq!(bench.command(hangup(21)).unwrap(), parted);
    assert!(refused(bench.command(hangup(16))), "it is being cleared");
    bench.leg(A, E::Released { cause: Cause(21) });
    bench.leg(B, E::Released { cause: Cause(21) });
    assert_eq!(bench.record().0, 21);
    assert_eq!(bench.command(hangup(16)), Err(CommandError::NoCall(CallId(1))));
    assert_eq!(
        bench.facts_of("commanded"),
        [r#"{"fact":"commanded","call":1,"command":{"verb":"hangup","cause":21}}"#]
    );
}

#[test]
fn a_call_is_recorded_any_number_of_times_each_in_a_file_of_its_own() {
    let mut bench = talking();
    use RecordAction::{Mask, Start, Stop, Unmask};
    for none in [Stop, Mask, Unmask] {
        assert!(refused(record(&mut bench, none)), "there is no recording");
    }
    assert_eq!(record(&mut bench, Start).unwrap(), [begins("call-1.wav")]);
    assert!(refused(record(&mut bench, Start)));
    assert_eq!(record(&mut bench, Mask).unwrap(), [Output::Media(M::MaskRecording { leg: A, on: true })]);
    assert!(bench.control.call(bench.now(), CallId(1)).unwrap().recording.unwrap().masked);
    assert_eq!(record(&mut bench, Unmask).unwrap(), [Output::Media(M::MaskRecording { leg: A, on: false })]);
    assert_eq!(record(&mut bench, Stop).unwrap(), [Output::Media(M::StopRecording { leg: A })]);
    assert_eq!(record(&mut bench, Start).unwrap(), [begins("call-1-2.wav")]);
    let (file, sha256) = ("call-1.wav".into(), "5eed".into());
    let done = MediaEvent::Recorded { leg: A, file, millis: 980, sha256, lost_millis: 40 };
    bench.control.handle_media(bench.now(), done);
    let live = bench.control.call(bench.now(), CallId(1)).unwrap().recording;
    assert_eq!(live.unwrap().file, "call-1-2.wav", "the first one's end is not the second one's");
    bench.leg(A, E::Released { cause: Cause(16) });
    bench.leg(B, E::Released { cause: Cause(16) });
    assert_eq!(bench.records[0].recordings[0].lost_millis, 40);
    assert_eq!(bench.facts_of("recording_started").len(), 2);
    let masked = bench.facts_of("recording_masked");
    assert!(masked[0].contains(r#""on":true"#) && masked[1].contains(r#""on":false"#), "{masked:?}");
}

#[test]
fn after_a_recording_that_failed_for_good_the_next_one_can_begin() {
    let mut bench = talking();
    record(&mut bench, RecordAction::Start).unwrap();
    let mut fails = |file: &str, over| {
        let failed = MediaEvent::RecordingFailed { leg: A, file: file.into(), over, why: "full".into() };
        bench.control.handle_media(bench.now(), failed);
        record(&mut bench, RecordAction::Start)
    };
    assert!(refused(fails("call-1.wav", false)), "it goes on once there is room");
    assert_eq!(fails("call-1.wav", true).unwrap(), [begins("call-1-2.wav")]);
    assert!(refused(fails("call-1.wav", true)), "the second one has not failed");
}

#[test]
fn the_calls_of_a_route_are_recorded_as_the_plan_says() {
    let recording = |format| Some(RecordPlan { format, ..RecordPlan::default() });
    for (record, format, begun) in [
        (false, RecordFormat::Wav, None),
        (true, RecordFormat::Wav, Some("call-1.wav")),
        (true, RecordFormat::Opus, Some("call-1.opus")),
    ] {
        let mut plan = Plan { recording: recording(format), ..plan() };
        plan.routes.iter_mut().for_each(|route| route.record = record);
        let mut bench = Bench::new(plan);
        bench.call("0301");
        let told = bench.leg(B, E::Answered);
        assert_eq!(
            told.iter().find(|told| matches!(told, Output::Media(M::Record { .. }))),
            begun.map(begins).as_ref()
        );
    }
    for (file, call) in
        [("call-7.wav", Some(7)), ("call-7-2.opus", Some(7)), ("call-7-1.wav", None), ("call-7.mp3", None)]
    {
        assert_eq!(recorded_call(file), call.map(CallId), "{file}");
    }
    let mut plan = Plan { recording: None, ..plan() };
    let mut bench = Bench::new(plan.clone());
    bench.call("0301");
    bench.leg(B, E::Answered);
    let refused = record(&mut bench, RecordAction::Start);
    assert!(matches!(refused, Err(CommandError::Invalid(_))), "there is nowhere to write");
    plan.routes[0].record = true;
    assert!(plan.check().is_err());
}

#[test]
fn a_caller_who_is_not_answered_is_not_recorded() {
    let mut bench = Bench::new(plan());
    bench.call("0301");
    assert!(refused(record(&mut bench, RecordAction::Start)));
    assert_eq!(bench.facts_of("commanded"), [""; 0]);
}
