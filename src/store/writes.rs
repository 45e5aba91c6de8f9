//! The verbs that write.
//!
//! Each answers after its commit is on disk. When it fails, nothing of it is stored, and it may be
//! tried again.

use std::sync::Arc;

use super::{
    Accepted, Backend, CallId, DeliveryReason, DeliveryRecord, Finish, Keep, KeptBreaker, NewCall,
    OpenPart, Opening, Reserved, Settlement, Store, StoreError, Swept, verbs,
};
use crate::model::budget::Budgets;
use crate::model::effect::Effect;
use crate::model::ids::{ChatId, MessageId, PartId, UserId};
use crate::model::message::Update;

verbs! {
    /// Stores a batch, and the offset after it if the source of updates has one, in one commit.
    /// Updates that are known are left as they are.
    fn accept(updates: Vec<Update>, next_offset: Option<i64>) -> Accepted;

    /// [`Store::accept`], and [`Store::finish`] for some of the updates, by their place in `updates`, in
    /// one commit.
    fn accept_and_finish(
        updates: Vec<Update>,
        next_offset: Option<i64>,
        finished: Vec<(usize, Arc<Finish>)>
    ) -> Accepted;

    /// Marks an update done together with everything it led to. Answers the parts as stored; none
    /// when it was done before.
    fn finish(finish: impl Into<Arc<Finish>>) -> Vec<OpenPart>;

    /// Marks a part as *sending*: to be called before the request is written. `false`: it is
    /// settled already, for instance forgotten, and must not be sent.
    fn mark_sending(id: PartId, id_before: MessageId) -> bool;

    /// Stores the outcomes of parts, with whatever has to be remembered because of them. When it
    /// fails, the parts are still *sending* and the reconciler will look.
    fn record_delivery(records: Vec<DeliveryRecord>, effects: Vec<Effect>) -> ();

    /// Stores with the next commit that a part arrived. The commit is another write's, or that of
    /// [`Store::flush`]; a crash before it leaves the part *sending*. Answers how many such parts wait.
    fn record_arrival(part: PartId, chat: ChatId, message: MessageId) -> usize;

    /// Commits what [`Store::record_arrival`] left, if anything.
    fn flush() -> ();

    /// Writes a call down before it is made, with the most that it can cost, if that fits into every limit.
    /// What is granted may be less than what is wanted, but not less than the least.
    fn reserve(call: NewCall, budgets: Budgets) -> Reserved;

    /// Stores with the next commit of any kind how a call ended that was reserved. A crash before it leaves
    /// the call at all that was reserved for it.
    fn settle(call: CallId, settlement: Settlement) -> ();

    /// Stores with the next commit of any kind a call that costs nothing, for its tokens.
    fn record_free_call(call: NewCall, settlement: Settlement) -> ();

    /// Drops everything that is due in a chat; answers how many parts that were.
    fn drop_due(chat: ChatId, reason: DeliveryReason) -> usize;

    /// How a bot without an owner can be claimed. `fresh_code` is used when there never was a code; one
    /// that has expired is replaced only by [`Store::renew_claim_code`].
    fn opening(fresh_code: String) -> Opening;

    /// Makes `fresh_code` the only valid claim code of a bot without an owner.
    fn renew_claim_code(fresh_code: String) -> Opening;

    /// Deletes some of what a person said, with the answers; answers whether there may be more.
    fn forget_some(user: UserId) -> bool;

    /// Stores effects that no update caused, such as those of the command line.
    fn apply(effects: Vec<Effect>) -> ();

    /// Removes one small batch of everything that is older than `keep` says, also of bots whose
    /// token is no longer used here.
    fn sweep(keep: Keep) -> Swept;

    /// Keeps which models of providers are not asked, in place of those that were kept before.
    fn keep_breakers(breakers: Vec<KeptBreaker>) -> ();

    /// A small write that goes the way of every other one, to see that commits work.
    fn probe() -> ();
}
