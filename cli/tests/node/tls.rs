//! TLS on the API: the node shows its certificate, and a client's certificate stands for a token.

use crate::home::{Node, command, done, sandbox, tenor};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/node/tls").join(name)
}

fn certificate(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file(name)).unwrap().map(Result::unwrap).collect()
}

/// The answer to a request with a client's certificate, with a token, with both or neither; none when the connection
/// does not come to be.
fn ask(node: &Node, client: Option<&str>, token: Option<&str>, path: &str) -> Option<(u16, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem").remove(0)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(name) => {
            let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
            config.with_client_auth_cert(certificate(&format!("{name}.pem")), key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(node.api.trim_start_matches("http://")).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    let token = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!("GET {path} HTTP/1.1\r\nHost: node\r\n{token}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

fn flag(key: &str, name: &str) -> String {
    format!("--{key}={}", file(name).display())
}

/// A node of a sandbox that speaks TLS and asks for certificates.
fn guarded(data: &Path) -> Node {
    let flags = [
        flag("tls-certificate", "server.pem"),
        flag("tls-key", "server.key"),
        flag("tls-clients", "ca.pem"),
        "--sandbox".into(),
    ];
    Node::run(data, &flags.each_ref().map(String::as_str))
}

#[test]
fn a_clients_certificate_stands_for_a_token() {
    let (_folder, data) = sandbox();
    let client = file("client.pem");
    let words = ["node", "token", "new", "app", "--scope=bank", "--certificate", client.to_str().unwrap()];
    let made = done(&data, &words);
    assert_eq!(made["certificate"].as_str().unwrap().len(), 64);
    // A certificate stands for one token.
    let again = ["node", "token", "new", "twin", "--scope=bank", "--certificate", client.to_str().unwrap()];
    assert_eq!(tenor(&[&again[..], &["--data", data.to_str().unwrap()]].concat()).0, 1);
    let node = guarded(&data);
    let (status, said) = ask(&node, None, None, "/v1/network").unwrap();
    assert!(status == 200 && said.contains("strict-transport-security: max-age="), "{said}");
    assert_eq!(ask(&node, None, None, "/v1/accounts").unwrap().0, 401);
    assert_eq!(ask(&node, Some("client"), None, "/v1/accounts").unwrap().0, 200);
    // A token that is shown counts, not the certificate beside it.
    assert_eq!(ask(&node, None, Some(&node.token("bank")), "/v1/accounts").unwrap().0, 200);
    assert_eq!(ask(&node, Some("client"), Some("tenor_00"), "/v1/accounts").unwrap().0, 401);
    // Signed under another one, a certificate is not taken, and who speaks no TLS is not answered.
    assert!(ask(&node, Some("stranger"), None, "/v1/accounts").is_none());
    let mut plain = TcpStream::connect(node.api.trim_start_matches("http://")).unwrap();
    plain.write_all(b"GET /v1/network HTTP/1.1\r\nHost: node\r\n\r\n").unwrap();
    let mut said = vec![];
    let _ = plain.read_to_end(&mut said);
    assert!(!String::from_utf8_lossy(&said).contains("HTTP/1.1"));
    // What ends the token ends what the certificate allows.
    done(&data, &["node", "token", "end", "app"]);
    let (status, said) = ask(&node, Some("client"), None, "/v1/accounts").unwrap();
    assert!(status == 401 && said.contains("stands for no token"), "{said}");
    assert_eq!(node.stop(), Some(0));
    let wrong = [flag("tls-certificate", "server.pem"), flag("tls-key", "client.key"), "--sandbox".into()];
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    let output = command(&data, &wrong).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_command_speaks_tls_and_shows_a_certificate() {
    let (_folder, data) = sandbox();
    let client = file("client.pem");
    done(&data, &["node", "token", "new", "app", "--scope=bank", "--certificate", client.to_str().unwrap()]);
    let node = guarded(&data);
    let port = node.api.rsplit(':').next().unwrap();
    let token = format!("--token-file={}", data.join("bank.token").display());
    let ask = |host: &str, more: &[String]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tenor"));
        command.args(["list", "accounts", "--json", "--node", &format!("https://{host}:{port}")]).args(more);
        let said = command.arg("--data").arg(&data).output().unwrap();
        (said.status.code(), [said.stdout, said.stderr].map(|text| String::from_utf8(text).unwrap()).concat())
    };
    let ca = flag("ca", "ca.pem");
    let (code, said) = ask("localhost", &[ca.clone(), token.clone()]);
    assert_eq!(code, Some(0), "{said}");
    let shown = [ca.clone(), flag("cert", "client.pem"), flag("cert-key", "client.key")];
    let by_certificate = ask("localhost", &shown);
    assert_eq!(by_certificate, (Some(0), said));
    for (host, more, why) in [
        ("localhost", vec![token.clone()], ""),
        ("localhost", vec![flag("ca", "other.pem"), token.clone()], "UnknownIssuer"),
        ("localhost", vec![ca.clone()], "no token"),
        ("localhost", vec![ca.clone(), flag("cert", "client.pem")], "go together"),
        (
            "localhost",
            vec![ca.clone(), flag("cert", "client.pem"), flag("cert-key", "server.key")],
            "do not belong together",
        ),
        ("localhost", vec![flag("ca", "client.key"), token], "has no certificate"),
    ] {
        let (code, said) = ask(host, &more);
        assert!(code == Some(1) && said.contains(why), "{host} {more:?}: {said}");
    }
}

/// A receiver that shows a certificate: how each message began, and the HTTP head that came.
fn receiver() -> (u16, Receiver<String>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate("server.pem"), key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let (to, came) = channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket.unwrap());
            let (mut head, mut byte) = (vec![], [0]);
            // A sender that does not trust the certificate says nothing more.
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                head.push(byte[0]);
            }
            let _ = stream.write_all(b"HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n");
            let _ = to.send(String::from_utf8(head).unwrap());
        }
    });
    (port, came)
}

#[test]
fn a_webhook_is_told_over_tls_under_the_authority_that_is_trusted_and_under_no_other() {
    for (trusted, host, comes) in
        [("ca.pem", "localhost", true), ("other.pem", "localhost", false), ("ca.pem", "127.0.0.2", false)]
    {
        let (_folder, data) = sandbox();
        let out = data.join("hooker.token");
        let token = ["node", "token", "new", "hooker", "--scope=webhooks", "--scope=bank", "--out"];
        done(&data, &[&token[..], &[out.to_str().unwrap()]].concat());
        let (port, came) = receiver();
        let hosts = format!("--webhook-hosts=https://{host}:{port}");
        let trust = format!("--webhook-ca={}", file(trusted).display());
        let node = Node::run(&data, &["--sandbox", "--webhook-retry-ms=5", "--webhook-s=2", &hosts, &trust]);
        let url = format!("https://{host}:{port}/told");
        let (status, made) = node.post_as("hooker", "/v1/webhooks", &json!({ "url": url, "from": 1 }));
        assert_eq!(status, 201, "{made}");
        if comes {
            let head = came.recv_timeout(Duration::from_secs(30)).unwrap();
            assert!(
                head.starts_with("POST /told HTTP/1.1") && head.contains("webhook-signature: v1,"),
                "{head}"
            );
            continue;
        }
        // Nothing is said to whoever cannot show that it is the host; the attempts say why.
        let path = format!("/v1/webhooks/{}", made["webhook"].as_str().unwrap());
        let error = loop {
            let (_, hook) = node.get_as("hooker", &path);
            if let Some(error) = hook["attempts"][0]["error"].as_str() {
                break error.to_string();
            }
            std::thread::yield_now();
        };
        let why = if host == "localhost" { "UnknownIssuer" } else { "" };
        assert!(error.contains(why), "{error}");
        assert!(came.try_iter().all(|head| head.is_empty()));
    }
}
