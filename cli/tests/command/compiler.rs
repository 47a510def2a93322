//! The compiling child: what it gives, and every way in which it can end badly.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tenor_cli::compiler::Children;
use tenor_runtime::vm::{Bounds, CompileError, Compiler, Engine, LIMITS, Settings, instrument};

fn children() -> Children {
    Children::of(env!("CARGO_BIN_EXE_tenor").into())
}

#[test]
fn what_a_child_compiles_runs() {
    for product in tenor_cli::products::ALL {
        let counted = instrument(product.wasm, &LIMITS).unwrap();
        assert!(
            !children().compile(&counted.wasm, &Settings::default(), Bounds::NEW).unwrap().is_empty(),
            "{}",
            product.name
        );
    }
    let module = wat::parse_str("(module (func (export \"f\") (result i32) (i32.const 0)))").unwrap();
    let inside = Engine::new().unwrap().try_alone(&module, "f", 10_000).unwrap();
    let by_child =
        Engine::new().unwrap().compiled_by(Arc::new(children())).try_alone(&module, "f", 10_000).unwrap();
    assert_eq!((by_child.word(), &by_child), ("done", &inside));
}

#[test]
fn a_child_that_cannot_says_why() {
    let compile =
        |children: Children| children.compile(b"no module", &Settings::default(), Bounds::NEW).unwrap_err();
    assert!(matches!(compile(children()), CompileError::Refused(_)));
    assert!(matches!(compile(Children::of("/no/such/program".into())), CompileError::Unavailable(_)));
    assert!(matches!(compile(Children::of("/bin/false".into())), CompileError::Broke(_)));
}

#[test]
fn a_child_is_bounded() {
    // What it is given does not fit into the address space that it leaves itself.
    let mut child = Command::new(env!("CARGO_BIN_EXE_tenor"))
        .arg(tenor_cli::compiler::COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let piece = vec![0; 1 << 20];
    let written = (0..1_024).take_while(|_| to.write_all(&piece).is_ok()).count();
    drop(to);
    assert!(written < 1_024 && !child.wait().unwrap().success(), "{written} MiB were taken");
}

#[test]
fn many_at_once_wait_for_each_other() {
    let children = children();
    let counted = instrument(tenor_cli::products::ALL[0].wasm, &LIMITS).unwrap();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..5)
            .map(|_| {
                scope.spawn(|| {
                    children.compile(&counted.wasm, &Settings::default(), Bounds::NEW).unwrap().len()
                })
            })
            .collect();
        let lengths: Vec<usize> = all.into_iter().map(|child| child.join().unwrap()).collect();
        assert!(lengths.iter().all(|length| *length == lengths[0]));
    });
}
