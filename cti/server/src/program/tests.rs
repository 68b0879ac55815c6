use super::*;
use crate::outlets::{Commands, command_queue};
use demarc_media::{Engine, EngineConfig};
use demarc_model::{CallId, Destination};
use futures_util::{SinkExt, StreamExt};
use std::{net::SocketAddr, path::Path};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

const LEG: LegId = LegId(1);

/// A program's leg that is dialled, and its program's end of the connection.
struct Dialled {
    commands: Commands,
    control: mpsc::Receiver<Input>,
    program: TcpStream,
}

async fn dialled(place: impl Fn(SocketAddr) -> String) -> Dialled {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let text = format!("[[program]]\nname = \"bot\"\n{}\n", place(address));
    let config = Config::parse(Path::new("demarc.toml"), &text).unwrap();
    let media = Media(Engine::spawn(EngineConfig::default(), Box::new(drop)).unwrap());
    let (inputs, control) = Inputs::channel();
    let (commands, queue) = command_queue();
    let plan = crate::plan::plan(&config).unwrap();
    tokio::spawn(ProgramTask::new(&config, plan, media, inputs, queue, Clients::default()).run());
    let to =
        Destination::Program { program: "bot".into(), call: CallId(7), number: "1".into(), listens: false };
    commands.send((LEG, LegCommand::Dial { to, from: None })).await.unwrap();
    let program = listener.accept().await.unwrap().0;
    Dialled { commands, control, program }
}

#[tokio::test]
async fn a_program_that_speaks_without_end_hears_of_the_end_in_good_order() {
    let mut dialled = dialled(|place| format!("url = \"ws://{place}/\"")).await;
    let mut program = tokio_tungstenite::accept_async(dialled.program).await.unwrap();
    assert!(matches!(dialled.control.recv().await, Some(Input::Leg(LEG, LegEvent::Answered))));
    // More than may wait, so that Demarc reads no more.
    let speak = async { while program.send(Message::binary(vec![0; 16_000])).await.is_ok() {} };
    assert!(tokio::time::timeout(Duration::from_secs(1), speak).await.is_err(), "it is full");
    dialled.commands.send((LEG, LegCommand::Release { cause: Cause::NORMAL_CLEARING })).await.unwrap();
    let mut heard = Vec::new();
    while let Some(message) = program.next().await {
        heard.push(message.expect("the connection is closed, not broken"));
    }
    let [.., Message::Text(stop), Message::Close(_)] = &heard[..] else { panic!("{heard:?}") };
    assert!(stop.contains("\"stop\""), "{stop}");
}

#[tokio::test]
async fn a_program_that_closes_before_it_has_read_all_has_hung_up() {
    let dialled = dialled(|place| format!("audiosocket = \"{place}\"")).await;
    let Dialled { commands: _commands, mut control, program } = dialled;
    // Unread is the number of the call: TCP tells that by a reset.
    program.readable().await.unwrap();
    assert!(matches!(control.recv().await, Some(Input::Leg(LEG, LegEvent::Answered))));
    drop(program);
    let gone = control.recv().await;
    let released = LegEvent::Released { cause: Cause::NORMAL_CLEARING };
    assert!(matches!(&gone, Some(Input::Leg(LEG, event)) if *event == released), "{gone:?}");
}
