//! The contracts inside the binary. The only place in this crate where their names stand.

/// Each built-in contract: its name and its file.
pub const ALL: [(&str, &str); 6] = [
    ("auth-cookie", include_str!("../../contracts/auth-cookie.toml")),
    ("auth", include_str!("../../contracts/auth.toml")),
    ("username", include_str!("../../contracts/username.toml")),
    ("users", include_str!("../../contracts/users.toml")),
    ("users-strict", include_str!("../../contracts/users-strict.toml")),
    ("v1", include_str!("../../contracts/v1.toml")),
];

/// The file of a built-in contract.
pub fn find(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
