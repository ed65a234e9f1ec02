//! SQL functions of our own: normalising and hashing of identifiers.
//!
//! The rules live with the destinations; here they only become functions of the engine.

mod one_text;
mod phone;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

use one_text::OneText;
use phone::Phone;

/// Registers every function of our own in an engine.
pub fn register(context: &SessionContext) {
    for function in all() {
        context.register_udf(function);
    }
}

/// Every function of our own. An engine on another machine has to hold the same ones: plans name them only.
pub fn all() -> Vec<ScalarUDF> {
    let texts = OneText::all().into_iter().map(ScalarUDF::from);
    texts.chain(Phone::all().into_iter().map(ScalarUDF::from)).collect()
}

#[cfg(test)]
mod tests;
