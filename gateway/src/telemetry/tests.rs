//! The contract between what is scraped, the catalogue, and the ledger.

mod calls;
mod contract;
mod fixture;
mod load;
mod money;
mod scrape;
