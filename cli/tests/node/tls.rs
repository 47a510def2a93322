//! TLS on the API: the node shows its certificate, and a client's certificate stands for a token.

use crate::home::{Node, command, done, sandbox, tenor};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

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
    let flag = |key: &str, name: &str| format!("--{key}={}", file(name).display());
    let flags = [
        flag("tls-certificate", "server.pem"),
        flag("tls-key", "server.key"),
        flag("tls-clients", "ca.pem"),
        "--sandbox".into(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let node = Node::run(&data, &flags);
    assert_eq!(ask(&node, None, None, "/v1/network").unwrap().0, 200);
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
