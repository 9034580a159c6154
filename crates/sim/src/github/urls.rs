//! Addresses: where the API and the web pages live, and how names are written into a path.

/// The two addresses that links in answers start with, without a slash at the end.
#[derive(Debug, Clone)]
pub(crate) struct Urls {
    /// Of the REST API, `https://api.github.com` on the public service.
    pub(crate) api: String,
    /// Of the web pages, `https://github.com` on the public service.
    pub(crate) html: String,
}

impl Default for Urls {
    fn default() -> Self {
        Self {
            api: "https://api.github.com".to_owned(),
            html: "https://github.com".to_owned(),
        }
    }
}

impl Urls {
    /// Returns the API address of a repository, `owner/name`.
    pub(crate) fn repo(&self, full_name: &str) -> String {
        format!("{}/repos/{full_name}", self.api)
    }

    /// Returns the web address of a repository, `owner/name`.
    pub(crate) fn page(&self, full_name: &str) -> String {
        format!("{}/{full_name}", self.html)
    }
}

/// Writes a name into one segment of a path.
pub(crate) fn encode_segment(name: &str) -> String {
    encode(name, |_| false)
}

/// Writes a name that may hold slashes (a file, a branch) into a path.
pub(crate) fn encode_path(name: &str) -> String {
    encode(name, |byte| byte == b'/')
}

fn encode(name: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
