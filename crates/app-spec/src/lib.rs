//! The platform's documents: lossless app spec, jobs, deployments, firewall rules, ids.
