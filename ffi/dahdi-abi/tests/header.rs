//! Compares every number, size and offset of this crate with what a C compiler makes of Debian's `dahdi/user.h` and
//! `dahdi/wctdm_user.h`, both ways: nothing of ours is wrong, and nothing of the header is missing.
//!
//! The header is taken from the directory in `DAHDI_SOURCE_INCLUDE`, else from `/usr/include`, else from Debian's
//! package `dahdi-source`, which is downloaded once into the target directory.

use dahdi_abi::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Bit fields have no offset in C; [`bit_fields_are_where_c_has_them`] compares them.
const BIT_FIELDS: [&str; 1] = ["dahdi_hwgain.tx"];

/// Names and numbers as this crate has them: requests, constants, sizes (`struct x`), offsets (`x.field`).
struct Ours {
    requests: Vec<(String, i64)>,
    constants: Vec<(String, i64)>,
    sizes: Vec<(String, i64)>,
    offsets: Vec<(String, i64)>,
}

fn ours() -> Ours {
    let tables = [
        alarm::TABLE,
        bits::TABLE,
        conf::TABLE,
        config::TABLE,
        dial::TABLE,
        event::TABLE,
        flush::TABLE,
        hook::TABLE,
        iomux::TABLE,
        law::TABLE,
        limits::TABLE,
        maint::TABLE,
        policy::TABLE,
        radpar::TABLE,
        radstat::TABLE,
        sf::TABLE,
        sig::TABLE,
        tone::TABLE,
        tonedetect::TABLE,
        vmwi::TABLE,
    ];
    let mut constants: Vec<(String, i64)> =
        tables.into_iter().flatten().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    for (name, value) in [
        ("__DAHDI_SIG_FXO", sig::ANY_FXO),
        ("__DAHDI_SIG_FXS", sig::ANY_FXS),
        ("__DAHDI_SIG_DACS", sig::ANY_DACS),
        ("DAHDI_CODE", request::CODE as i32),
        ("DAHDI_TC_CODE", request::TC_CODE as i32),
        ("RAD_SERIAL_BUFLEN", SERIAL_BUFLEN as i32),
        ("ELAST", Errno::LAST.0),
    ] {
        constants.push((name.to_owned(), value.into()));
    }
    let requests =
        request::TABLE.iter().map(|(name, number)| ((*name).to_owned(), (*number).into())).collect();
    let mut ours = Ours { requests, constants, sizes: Vec::new(), offsets: Vec::new() };
    add_structs(&mut ours);
    ours
}

fn add_structs(ours: &mut Ours) {
    add::<Params>(ours);
    add::<SpanInfo>(ours);
    add::<SpanInfoV1>(ours);
    add::<MaintInfo>(ours);
    add::<ConfInfo>(ours);
    add::<Gains>(ours);
    add::<LineConfig>(ours);
    add::<ChanConfig>(ours);
    add::<ToneDef>(ours);
    add::<ToneDefHeader>(ours);
    add::<BufferInfo>(ours);
    add::<DialParams>(ours);
    add::<DialOperation>(ours);
    add::<EchoCanParam>(ours);
    add::<EchoCanParams>(ours);
    add::<RingCadence>(ours);
    add::<SfConfig>(ours);
    add::<IndirectData>(ours);
    add::<VersionInfo>(ours);
    add::<AttachEchoCan>(ours);
    add::<DynamicSpan>(ours);
    add::<HwGain>(ours);
    add::<TranscoderFormats>(ours);
    add::<TranscoderInfo>(ours);
    add::<VmwiInfo>(ours);
    add::<RadioStat>(ours);
    add::<RadioParam>(ours);
    add::<WctdmStats>(ours);
    add::<WctdmRegs>(ours);
    add::<WctdmRegop>(ours);
    add::<WctdmEchoCoefs>(ours);
}

fn add<T: Layout>(ours: &mut Ours) {
    ours.sizes.push((format!("struct {}", T::C_NAME), size_of::<T>() as i64));
    let fields = T::FIELDS.iter().filter(|(field, _)| !field.starts_with("pad"));
    let offsets = fields.map(|(field, offset)| (format!("{}.{field}", T::C_NAME), *offset as i64));
    ours.offsets.extend(offsets.filter(|(name, _)| !BIT_FIELDS.contains(&name.as_str())));
}

/// The directory that holds `dahdi/user.h`.
fn include() -> &'static Path {
    static INCLUDE: OnceLock<PathBuf> = OnceLock::new();
    INCLUDE.get_or_init(|| {
        if let Some(given) = env::var_os("DAHDI_SOURCE_INCLUDE") {
            let given = PathBuf::from(given);
            assert!(
                given.join("dahdi/user.h").is_file(),
                "DAHDI_SOURCE_INCLUDE={} has no dahdi/user.h",
                given.display()
            );
            return given;
        }
        let installed = PathBuf::from("/usr/include");
        if installed.join("dahdi/user.h").is_file() && installed.join("dahdi/wctdm_user.h").is_file() {
            return installed;
        }
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dahdi-source");
        let include = cache.join("usr/include");
        if !include.join("dahdi/user.h").is_file() {
            download(&cache);
        }
        include
    })
}

/// Downloads and unpacks `dahdi-source` beside `cache`, then puts it there whole.
fn download(cache: &Path) {
    let fresh = cache.with_extension("new");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).expect("a directory under target");
    let help = "\nThis test needs Debian's dahdi/user.h: run `apt-get update` and make sure that a Debian mirror \
                can be reached, or set DAHDI_SOURCE_INCLUDE to a directory with dahdi/user.h.";
    run(Command::new("apt-get").args(["download", "dahdi-source"]).current_dir(&fresh), help);
    let package = fs::read_dir(&fresh)
        .expect("a directory under target")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .unwrap_or_else(|| panic!("apt-get download left no package{help}"));
    run(Command::new("dpkg").arg("-x").arg(&package).arg(&fresh), help);
    assert!(
        fresh.join("usr/include/dahdi/user.h").is_file(),
        "dahdi-source has no usr/include/dahdi/user.h{help}"
    );
    let _ = fs::remove_dir_all(cache);
    fs::rename(&fresh, cache).expect("rename within target");
}

fn run(command: &mut Command, help: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}{help}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}{help}", output.status);
    text
}

/// Runs the body of a C function against the header and gives what it prints as `number name` lines.
fn compile(name: &str, body: &str) -> BTreeMap<String, i64> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (directory.join(format!("{name}.c")), directory.join(name));
    let text = format!(
        "#include <stdio.h>\n#include <stddef.h>\n#include <string.h>\n#include <sys/ioctl.h>\n\
         #define CONFIG_DAHDI_MIRROR\n#include <dahdi/user.h>\n#include <dahdi/wctdm_user.h>\n\
         int main(void) {{\n{body}return 0;\n}}\n"
    );
    fs::write(&source, text).expect("a file under target");
    let help = "\nThis test needs a C compiler: install gcc and libc6-dev.";
    run(Command::new("cc").arg("-I").arg(include()).arg("-o").arg(&program).arg(&source), help);
    run(&mut Command::new(&program), "")
        .lines()
        .map(|line| {
            let (number, name) = line.split_once(' ').expect("number, space, name");
            (name.to_owned(), number.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn every_number_is_what_c_makes_of_the_header() {
    let ours = ours();
    let mut body = String::new();
    let mut print = |name: &str, expression: String| {
        writeln!(body, "printf(\"%lld {name}\\n\", (long long)({expression}));").expect("a string");
    };
    ours.requests.iter().for_each(|(name, _)| print(name, format!("(unsigned int){name}")));
    ours.constants.iter().for_each(|(name, _)| print(name, format!("(int)({name})")));
    ours.sizes.iter().for_each(|(name, _)| print(name, format!("sizeof({name})")));
    for (name, _) in &ours.offsets {
        print(name, format!("offsetof(struct {})", name.replace('.', ", ")));
    }
    let theirs = compile("numbers", &body);
    let all: Vec<_> = [ours.requests, ours.constants, ours.sizes, ours.offsets].concat();
    let wrong: Vec<String> = all
        .iter()
        .filter(|(name, value)| theirs.get(name) != Some(value))
        .map(|(name, value)| format!("{name}: {value:#x} here, {:x?} in the header", theirs.get(name)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(theirs.len(), all.len(), "each name once");
}

#[test]
fn nothing_of_the_header_is_missing() {
    let ours = ours();
    let known: BTreeSet<&str> = [&ours.requests, &ours.constants, &ours.sizes]
        .into_iter()
        .flatten()
        .map(|(name, _)| &**name)
        .collect();
    // Include guards, and the register counts of wctdm that `WctdmRegs` has as lengths.
    let other = ["_DAHDI_USER_H", "_WCTDM_H", "NUM_REGS", "NUM_INDIRECT_REGS"];
    let mut names = BTreeSet::new();
    for file in ["dahdi/user.h", "dahdi/wctdm_user.h"] {
        let header = fs::read_to_string(include().join(file)).expect("the header");
        names.extend(header.lines().filter_map(declared).map(str::to_owned).collect::<Vec<_>>());
    }
    assert!(names.len() > 300, "the header was read: {} names", names.len());
    let missing: Vec<&String> =
        names.iter().filter(|name| !known.contains(&***name) && !other.contains(&&***name)).collect();
    assert!(missing.is_empty(), "in the header, not here: {missing:?}");
}

/// The name that a line of the header declares: a macro, a struct, or a member of an enum.
fn declared(line: &str) -> Option<&str> {
    let word = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("#define") {
        let rest = rest.trim_start();
        return Some(&rest[..word(rest)]);
    }
    if line.starts_with("struct ") && line.ends_with('{') {
        return Some(line.trim_end_matches('{').trim_end());
    }
    line.starts_with("DAHDI_TONE_").then(|| &line[..word(line)])
}

#[test]
fn bit_fields_are_where_c_has_them() {
    let body = "struct dahdi_hwgain gain; unsigned int words[2];\n\
                memset(&gain, 0, sizeof(gain)); gain.newgain = -5; gain.tx = 1;\n\
                memcpy(words, &gain, sizeof(words));\n\
                printf(\"%d newgain\\n%u tx\\n\", (int)words[0], words[1]);\n";
    let theirs = compile("bits", body);
    let gain = HwGain { newgain: -5, tx: 1 };
    assert_eq!(theirs.get("newgain"), Some(&gain.newgain.into()));
    assert_eq!(theirs.get("tx"), Some(&gain.tx.into()));
}
