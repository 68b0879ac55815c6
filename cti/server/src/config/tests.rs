use super::*;

const GOOD: &str = r#"
[[span]]
number = 1
group = "pstn"
[[agent]]
id = "1001"
password = "secret"
[[prompt]]
name = "welcome"
text = "Welcome."
[[menu]]
name = "main"
prompt = "welcome"
choices = { "2" = "queue:sales" }
[[queue]]
name = "sales"
agents = ["1001"]
[[route]]
from = "group:pstn"
number = "555*"
to = ["menu:main"]
"#;

fn error(text: &str) -> String {
    Config::parse(Path::new("demarc.toml"), text).expect_err("is wrong").to_string()
}

#[test]
fn a_whole_configuration_is_read_with_its_defaults() {
    let config = Config::parse(Path::new("demarc.toml"), GOOD).unwrap();
    assert_eq!(config.rtp_ports(), (20_000, 29_999));
    assert_eq!(config.listeners().len(), 2);
    assert_eq!(config.queues[0].ring_seconds, 15);
    assert_eq!(format!("{:?}", config.agents[0].password), "***");
}

#[test]
fn each_mistake_names_its_line_and_the_remedy() {
    let rows: [(&str, &str, &str, &[&str]); 17] = [
        (
            "an unknown key",
            "[[queue]]",
            "[[queue]]\nrign_seconds = 3",
            &["demarc.toml:16", "rign_seconds", "ring_seconds"],
        ),
        ("an unknown table", "[[queue]]", "[qeue]\nx = 1\n[[queue]]", &["qeue"]),
        ("a missing queue", "queue:sales", "queue:sale", &["demarc.toml:14", "no queue \"sale\"", "sales"]),
        ("a missing prompt", "prompt = \"welcome\"", "prompt = \"hello\"", &["demarc.toml:13", "welcome"]),
        ("a missing agent", "agents = [\"1001\"]", "agents = [\"1002\"]", &["demarc.toml:17", "1001"]),
        ("a missing conference", "menu:main", "conference:weekly", &["demarc.toml:21", "[[conference]]"]),
        (
            "a PIN of letters",
            "[[queue]]",
            "[[conference]]\nname = \"weekly\"\npin = \"secret\"\n[[queue]]",
            &["demarc.toml:16", "0-9"],
        ),
        (
            "too many parties",
            "[[queue]]",
            "[[conference]]\nname = \"weekly\"\nmax_parties = 200\n[[queue]]",
            &["\"weekly\"", "max_parties is 2 to 100"],
        ),
        (
            "a moderator who is nobody",
            "[[queue]]",
            "[[conference]]\nname = \"weekly\"\nmoderators = [\"7\"]\n[[queue]]",
            &["demarc.toml:17", "1001"],
        ),
        (
            "a recording that goes nowhere",
            "[[queue]]",
            "[[conference]]\nname = \"weekly\"\nrecord = true\n[[queue]]",
            &["demarc.toml:16", "[recording]"],
        ),
        ("a missing group", "group:pstn", "group:isdn", &["demarc.toml:19", "[[span]]"]),
        ("no target", "menu:main", "main", &["demarc.toml:21", "menu:NAME"]),
        ("no cause", "menu:main", "hangup:200", &["demarc.toml:21", "1 to 127"]),
        ("no digit", "\"2\" =", "\"x\" =", &["demarc.toml:14", "0-9"]),
        ("no number", "555*", "555 1000", &["demarc.toml:20", "no number"]),
        ("a span out of range", "number = 1", "number = 500", &["demarc.toml:3", "1 to 128"]),
        (
            "an open console",
            "[[span]]",
            "[http]\nlisten = \"0.0.0.0:8080\"\n[[span]]",
            &["demarc.toml:3", "127.0.0.1"],
        ),
    ];
    refused(&rows);
}

/// Puts each mistake into a good file: what it is, what it replaces, by what, and what the error must say.
fn refused(rows: &[(&str, &str, &str, &[&str])]) {
    for (what, from, to, expected) in rows {
        assert!(GOOD.contains(from), "{what}: the row fits the text");
        let message = error(&GOOD.replacen(from, to, 1));
        for part in *expected {
            assert!(message.contains(part), "{what}: {part:?} is missing in: {message}");
        }
    }
}

#[test]
fn mistakes_in_what_is_listened_for_name_their_line_and_the_remedy() {
    let rows: [(&str, &str, &str, &[&str]); 4] = [
        (
            "no barge-in",
            "choices =",
            "barge_in = \"noise\"\nchoices =",
            &["demarc.toml:14", "speech", "digits", "off"],
        ),
        (
            "no place for a fax",
            "choices =",
            "fax = \"queue:fax\"\nchoices =",
            &["demarc.toml:14", "no queue \"fax\""],
        ),
        (
            "a machine without a look",
            "to = [\"menu:main\"]",
            "to = [\"menu:main\"]\nmachine = \"hangup:16\"",
            &["demarc.toml:22", "detect_machine = true"],
        ),
        (
            "no length",
            "[[queue]]",
            "[detection.answering]\ngreting = 1\n[[queue]]",
            &["demarc.toml:16", "greting", "greeting"],
        ),
    ];
    refused(&rows);
}

#[test]
fn numbers_with_which_nothing_would_work_name_their_line_and_the_remedy() {
    let queue = |more| format!("{more}\n[[queue]]");
    let rows: [(&str, &str, &str, &[&str]); 18] = [
        ("no group", "\"pstn\"", "\"\"", &["demarc.toml:3", "no name of a group"]),
        ("no number", "number = 1", "number = \"one\"", &["demarc.toml:3: number: ", "u16"]),
        (
            "a name for an address",
            "[[span]]",
            "[sip]\naddress = \"pbx\"\n[[span]]",
            &["3: address: ", "192.0.2.1"],
        ),
        ("no call", "[[span]]", "max_calls = 0\n[[span]]", &["demarc.toml:2", "max_calls = 0"]),
        ("no record", "[[span]]", "retention_days = 0\n[[span]]", &["demarc.toml:2", "retention_days"]),
        ("no patience", "[[span]]", "[rtp]\ntimeout_seconds = 0\n[[span]]", &["demarc.toml:3", "timeout"]),
        ("no playout", "[[span]]", "[rtp]\nplayout_ms = 19\n[[span]]", &["demarc.toml:3", "20 to 200"]),
        ("late", "[[span]]", "[rtp]\nplayout_ms = 201\n[[span]]", &["demarc.toml:3", "20 to 200"]),
        ("all shared", "[[span]]", "[rtp]\nports = \"4000-4009\"\nshared = 5\n[[span]]", &["demarc.toml:4"]),
        (
            "no address",
            "[[span]]",
            "[rtp]\naddress = \"0.0.0.0\"\n[[span]]",
            &["demarc.toml:3", "told to peers"],
        ),
        ("none either", "[[span]]", "[sip]\naddress = \"::\"\n[[span]]", &["demarc.toml:3", "told to peers"]),
        (
            "no wait",
            "prompt = \"welcome\"",
            "prompt = \"welcome\"\ntimeout_seconds = 0",
            &["demarc.toml:12", "menu"],
        ),
        (
            "no ring",
            "agents = [\"1001\"]",
            "agents = [\"1001\"]\nring_seconds = 0",
            &["demarc.toml:16", "queue"],
        ),
        ("nobody", "agents = [\"1001\"]", "agents = []", &["demarc.toml:16", "sales"]),
        (
            "no ring either",
            "to = [\"menu:main\"]",
            "to = [\"menu:main\"]\nring_seconds = 0",
            &["demarc.toml:20"],
        ),
        (
            "a room for one",
            "[[queue]]",
            &queue("[[conference]]\nname = \"weekly\"\nmax_parties = 1"),
            &["demarc.toml:16", "2 to 100"],
        ),
        (
            "no such queue",
            "[[queue]]",
            &queue("[recording]\nqueues = [\"sale\"]"),
            &["demarc.toml:16", "sales"],
        ),
        (
            "no password",
            "[[queue]]",
            &queue("[[trunk]]\nname = \"c\"\nhost = \"192.0.2.1:5060\"\nusername = \"me\""),
            &["demarc.toml:16", "username and password"],
        ),
    ];
    refused(&rows);
}

#[test]
fn a_way_out_says_who_may_take_it() {
    let out = |from: &str, to: &str| format!("{GOOD}[[route]]\n{from}number = \"0*\"\nto = [\"{to}\"]\n");
    assert!(error(&out("", "group:pstn")).contains("from = \"agents\""));
    for (from, to) in [("from = \"agents\"\n", "group:pstn"), ("", "group:pstn:110"), ("", "queue:sales")] {
        Config::parse(Path::new("demarc.toml"), &out(from, to)).unwrap();
    }
}

#[test]
fn keys_in_clear_signalling_are_warned_of() {
    let path = Path::new("demarc.toml");
    let warned = |srtp: &str| {
        let text =
            GOOD.replace("password = \"secret\"", &format!("password = \"secret\"\nsrtp = \"{srtp}\""));
        Config::parse(path, &text).unwrap().warnings(path)
    };
    assert!(warned("off").is_empty());
    for srtp in ["optional", "required"] {
        let warnings = warned(srtp);
        assert!(warnings.len() == 1 && warnings[0].contains("agent \"1001\""), "{warnings:?}");
    }
    assert!(
        error(&GOOD.replace("password = \"secret\"", "password = \"s\"\nsrtp = \"on\"")).contains("required")
    );
}

#[test]
fn a_prompt_needs_exactly_one_source() {
    assert!(error(&GOOD.replace("text = \"Welcome.\"\n", "")).contains("one of text and file"));
    let both = GOOD.replace("text = \"Welcome.\"", "text = \"Welcome.\"\nfile = \"a.wav\"");
    assert!(error(&both).contains("one of text and file"));
}

#[test]
fn an_agent_without_a_password_is_refused() {
    let message = error(&GOOD.replace("password = \"secret\"", "password = \"\""));
    assert!(message.contains("demarc.toml:6") && message.contains("empty password"), "{message}");
}

#[test]
fn a_listener_and_a_range_of_ports_are_checked() {
    assert!(error("[sip]\nlisten = [\"5060\"]").contains("demarc.toml:2: \"5060\" is no SIP listener"));
    assert!(error("[rtp]\nports = \"9\"").contains("demarc.toml:2"));
}

#[test]
fn sip_without_udp_is_not_guessed_at() {
    for listen in ["[\"tcp:127.0.0.1:5060\"]", "[]"] {
        let message = error(&format!("[sip]\nlisten = {listen}"));
        assert!(message.contains("demarc.toml:2:") && message.contains("udp:127.0.0.1:5060"), "{message}");
    }
}

/// A WAV file of so many samples: 16 bits, mono, 8000 a second.
fn wav(samples: u32) -> Vec<u8> {
    let mut file =
        Vec::from(*b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    file[4..8].copy_from_slice(&(36 + 2 * samples).to_le_bytes());
    file.extend((2 * samples).to_le_bytes());
    file.resize(44 + 2 * samples as usize, 1);
    file
}

#[test]
fn the_files_of_prompts_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demarc.toml");
    std::fs::write(&path, GOOD.replace("text = \"Welcome.\"", "file = \"welcome.wav\"")).unwrap();
    let prompt = folder.path().join("welcome.wav");
    let rows = [
        (None, "No such file"),
        (Some(b"no WAV file at all".to_vec()), "not a readable WAV file"),
        (Some(wav(80)[..60].to_vec()), "not a readable WAV file"),
        (Some(wav(0)), "no sound in it"),
    ];
    for (content, expected) in rows {
        content.into_iter().for_each(|content| std::fs::write(&prompt, content).unwrap());
        let message = crate::error_chain(&Config::load_with_files(&path).unwrap_err());
        for part in ["demarc.toml:10: ", "welcome.wav", expected, "write the name of a WAV file"] {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
    std::fs::write(&prompt, wav(80)).unwrap();
    Config::load_with_files(&path).unwrap();
}

/// What is complained of is read by others than those who may read the file.
#[test]
fn no_complaint_tells_a_password_or_a_pin() {
    let room = "[[conference]]\nname = \"weekly\"\n[[queue]]";
    for (what, from, to) in [
        ("a string without its end", "\"secret\"", "\"sesame"),
        ("no quotes", "\"secret\"", "sesame"),
        ("two values", "\"secret\"", "\"sesame\" = \"a\""),
        ("two strings", "\"secret\"", "\"\" \"sesame\""),
        ("a misspelt key", "password = \"secret\"", "pasword = \"sesame\""),
        ("a number", "\"secret\"", "5354"),
        ("a list", "\"secret\"", "[\"sesame\"]"),
        ("a PIN that is a number", "[[queue]]", &room.replace("\n[[q", "\npin = 5354\n[[q")),
        ("a PIN of letters", "[[queue]]", &room.replace("\n[[q", "\npin = \"sesame\"\n[[q")),
        ("a URL", "[[queue]]", "[[program]]\nname = \"bot\"\nurl = \"ws://me:sesame@a/\"\n[[queue]]"),
        ("another", "[[queue]]", "[[program]]\nname = \"bot\"\nurl = \"wss://me:sesame@a/\"\n[[queue]]"),
        ("a third", "[[queue]]", "[[program]]\nname = \"bot\"\nurl = \"http://me:sesame@a/\"\n[[queue]]"),
    ] {
        let message = error(&GOOD.replacen(from, to, 1));
        assert!(message.starts_with("demarc.toml:"), "{what}: {message}");
        assert!(!message.contains("sesame") && !message.contains("5354"), "{what}: {message}");
    }
    assert!(error(&GOOD.replace("\"secret\"", "5354")).contains("in quotes"));
}

/// What is between the marks of TOML in a page.
fn snippets(page: &str) -> Vec<&str> {
    page.split("\n```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn the_configurations_in_the_documentation_are_good() {
    let whole = snippets(include_str!("../../../../README.md")).concat();
    for (page, text) in [
        ("README.md", ""),
        ("docs/programs.md", include_str!("../../../../docs/programs.md")),
        ("docs/detection.md", include_str!("../../../../docs/detection.md")),
    ] {
        let more = snippets(text).join("\n");
        assert!(page == "README.md" || !more.is_empty(), "{page}");
        Config::parse(Path::new(page), &format!("{whole}\n{more}\n")).unwrap();
    }
}
