//! TLS to the server.
//!
//! The surprise: `sslmode=prefer` encrypts and asks for no proof of who is at the other end, as PostgreSQL's own
//! clients do: who could pretend to be the server could as well say that it speaks no TLS. Every stricter mode
//! checks the certificate and the name in it.

use std::sync::Arc;

use doorward_core::SetupError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::url::PostgresUrl;

/// # Errors
/// When the file of certificates cannot be read or has none, or the system has none.
pub(super) fn connector(url: &PostgresUrl) -> Result<MakeRustlsConnect, SetupError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::new(format!("TLS cannot be set up: {error}"), "report this"))?;
    let config = if url.config.get_ssl_mode() == SslMode::Require {
        builder.with_root_certificates(roots(url)?).with_no_client_auth()
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody::new(&provider)))
            .with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(config))
}

fn roots(url: &PostgresUrl) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &url.root_certificates else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(SetupError::new(
                "the system has no certificates to know the database server by",
                "install them (the package `ca-certificates`), or name one with `sslrootcert=FILE`",
            ));
        }
        return Ok(roots);
    };
    let shown = path.display();
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| {
        SetupError::new(
            format!("the certificates in {shown} cannot be read: {error}"),
            "`sslrootcert` names a file of certificates in PEM",
        )
    })?;
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(SetupError::new(
            format!("there is no certificate in {shown}"),
            "`sslrootcert` names a file of certificates in PEM",
        ));
    }
    Ok(roots)
}

/// Takes any server's certificate, if only the server has its key.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl Anybody {
    fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
