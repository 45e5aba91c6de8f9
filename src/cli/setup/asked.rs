//! What every question of setup needs.

use tokio::runtime::Runtime;

use super::answers::SetupArgs;
use super::ask::Person;
use super::credential_store::Vault;
use super::plan::Target;

/// What answers are given with.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) args: &'a SetupArgs,
    pub(super) person: &'a Person,
    pub(super) target: &'a Target,
    pub(super) store: &'a Vault,
    pub(super) runtime: &'a Runtime,
}
