//! TLS to the server, by the system's certificates or by those of a file.
//!
//! The surprise: the provider is named. An application whose crates bring two of them has no default, and would panic.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::settings::SettingsError;

/// # Errors
/// When there are no certificates to know the server by, or the host's name is none that a certificate can have.
pub(super) fn connector(
    host: &str,
    roots: Option<&Path>,
) -> Result<(TlsConnector, ServerName<'static>), SettingsError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| SettingsError {
        what: format!("the host {host:?}: {error}"),
        hint: "give a name that a certificate can have",
    })?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError {
            what: format!("TLS cannot be set up: {error}"),
            hint: "report this",
        })?
        .with_root_certificates(self::roots(roots)?)
        .with_no_client_auth();
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, SettingsError> {
    let (certificates, place, hint) = match file {
        None => (
            rustls_native_certs::load_native_certs().certs,
            "the system".to_owned(),
            "install them (the package `ca-certificates`), or name a file of them",
        ),
        Some(file) => {
            let hint = "`Settings::root_certificates` names a file of certificates in PEM";
            let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let certificates = read.map_err(|error| SettingsError {
                what: format!("the certificates in {} cannot be read: {error}", file.display()),
                hint,
            })?;
            (certificates, file.display().to_string(), hint)
        }
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        let what = format!("{place} has no certificates to know the server by");
        return Err(SettingsError { what, hint });
    }
    Ok(roots)
}
