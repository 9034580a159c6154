//! `schema`: the JSON Schemas of the two files that people write.

use crate::args::{SchemaArgs, SchemaOf};
use crate::desk::Desk;
use migration::{Reason, config_schema, manifest_schema};

/// Prints a schema, in either form the same document.
pub(crate) fn schema(desk: &Desk<'_>, args: &SchemaArgs) -> u8 {
    let schema = match args.of {
        SchemaOf::Manifest => manifest_schema(),
        SchemaOf::Config => config_schema(),
    };
    desk.result(&format!("{schema:#}"), &schema);
    Reason::Done.exit().code()
}
