//! The server behind TLS.
//!
//! The surprise: a certificate for another name is as bad as one of a stranger; both leave the verifier stale.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use doorward_verify::{Refusal, Settings, Verifier};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::stranger::{FRESH, HELLO, PATIENCE, Stays, Stranger, stream};

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificates-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed has said why; a folder that is left over is no second reason.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A new certificate for a name, and its key: `NAME.crt` and `NAME.key`.
fn certificate(folder: &Folder, name: &str) -> PathBuf {
    let path = folder.0.join(format!("{name}.crt"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            &format!("subjectAltName=DNS:{name}"),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-out")
        .arg(&path)
        .arg("-keyout")
        .arg(path.with_extension("key"))
        .output()
        .expect("openssl is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

/// Speaks TLS and passes on what is said in it.
async fn wrap(certificate: &Path, server: SocketAddr) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(certificate)
        .unwrap()
        .collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_file(certificate.with_extension("key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config
        .with_no_client_auth()
        .with_single_cert(chain.unwrap(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust the certificate hangs up.
                let Ok(mut inside) = acceptor.accept(connection).await else {
                    return;
                };
                let mut outside = TcpStream::connect(server).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut inside, &mut outside).await);
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_server_is_asked() {
    let server = Stranger::with_feed(stream(&[HELLO, FRESH]), Stays::Open);
    let folder = Folder::new();
    let (ours, other) = (
        certificate(&folder, "localhost"),
        certificate(&folder, "other.example.com"),
    );
    let port = wrap(&ours, server.address).await.port();
    let settings = |url: String, roots: &Path| Settings::new(url, "id", "secret").root_certificates(roots);

    let good = Verifier::connect(settings(format!("https://localhost:{port}"), &ours)).unwrap();
    let fresh = tokio::time::timeout(PATIENCE, good.until_fresh()).await;
    assert!(fresh.is_ok(), "{:?}", good.state());
    assert!(good.ended() == 0 && server.feed_asked().contains(&format!("host: localhost:{port}\r\n")));

    for (what, url, roots) in [
        ("nobody trusts it", format!("https://localhost:{port}"), &other),
        ("it is for another name", format!("https://127.0.0.1:{port}"), &ours),
    ] {
        let verifier = Verifier::connect(settings(url, roots)).unwrap();
        assert_eq!(
            verifier.verify(&server.signer.token(1)).await,
            Err(Refusal::Stale),
            "{what}"
        );
        let told = async {
            while !format!("{:?}", verifier.state()).contains("TLS") {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, told).await.is_ok(), "{what}");
    }
    for roots in [Path::new("/nowhere"), &ours.with_extension("key")] {
        let refused = Verifier::connect(settings("https://localhost".to_owned(), roots));
        assert!(refused.is_err_and(|error| error.to_string().contains("hint: ")));
    }
}

#[test]
fn without_a_runtime_it_says_so() {
    let error = Verifier::connect(Settings::new("http://localhost", "id", "secret")).unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
}
