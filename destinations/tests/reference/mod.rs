//! The destinations in memory, and the one that fails on order.

mod faulty;
mod files;
mod target;

use herald_destinations::contract::{Account, Batch, Destination, Error, PublishContext, Rejection};

/// Publishes batches; what each was answered.
async fn publish(
    destination: &dyn Destination,
    context: &PublishContext,
    batches: &[Batch],
) -> Result<Vec<Rejection>, Error> {
    let mut publication = destination.begin(context).await?;
    let mut rejected = Vec::new();
    for batch in batches {
        rejected.extend(publication.write(batch.clone()).await?);
    }
    let ticket = publication.seal(Account::default()).await?;
    destination.commit(&ticket).await?;
    Ok(rejected)
}
