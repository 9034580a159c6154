//! The DigitalOcean endpoints that Harbor Pilot uses, over an exchangeable transport.
