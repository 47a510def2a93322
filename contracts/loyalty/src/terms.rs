//! What is agreed, kept, said and reported: every list of the spec.

use tenor_sdk::prelude::*;

/// What sponsor and bank agree on.
#[terms]
pub struct Terms {
    /// Account that a redemption pays; its owner reports purchases.
    #[fixed]
    pub merchant: Account,
    /// Account that pays for redemptions; its owner is the sponsor.
    #[fixed]
    #[debit(max = funding_max, per = Month)]
    pub funding: Account,
    /// The most that redemptions take from the sponsor in a month.
    #[customer]
    pub funding_max: Money,
    /// The points, an asset without decimals that the bank issues.
    #[fixed]
    pub points: AssetId,
    /// The points' code, without decimals; must be that of the asset.
    #[fixed]
    pub points_unit: Currency,
    /// Points for each whole unit of the currency that is spent.
    #[product(default = 1)]
    pub points_per_unit: u32,
    /// Worth of one point.
    #[product]
    pub point_value: Money,
    /// Days after a purchase on which its points can still be used.
    #[product(default = 365)]
    pub lot_days: u16,
    /// The fewest points of a redemption.
    #[product(default = 1)]
    pub redeem_min: u64,
}

/// Where a programme stands.
#[lifecycle]
pub enum State {
    /// Points are earned and redeemed.
    #[initial]
    Running,
    /// No points are earned any more, what there is can be redeemed.
    Closing,
    /// Over; no points are left.
    #[terminal]
    Closed,
}

/// What falls due.
#[schedules]
pub enum Due {
    /// Points whose last day has passed are taken out.
    Expire,
}

/// The programme's own accounts, in points.
#[books]
pub enum Book {
    /// Points that were made, below zero by what is outstanding.
    #[book(side = Expense, gl = "5410", asset = points, negative)]
    Issued,
    /// Points that members hold.
    #[book(side = Liability, gl = "2410", asset = points)]
    Outstanding,
}

/// What entries are for.
#[purposes]
pub enum Purpose {
    /// Points for a purchase.
    Earning,
    /// Points of a purchase that was taken back.
    Reversal,
    /// Points paid with, and the money for them.
    Redemption,
    /// Points whose last day has passed.
    Expiry,
}

/// Why a programme says no.
#[errors]
pub enum Refusal {
    /// Points per unit, the worth of a point and the fewest points of a redemption must be above zero.
    TermNotPositive,
    /// Points have no decimals.
    PointsWithDecimals,
    /// An amount is in another currency than the programme's.
    WrongCurrency {
        /// The currency given.
        given: Currency,
        /// The programme's currency.
        needed: Currency,
    },
    /// The sponsor's account cannot be the one that is paid.
    SameAccount,
    /// The party is a member already.
    AlreadyMember,
    /// The party is no member.
    NotMember {
        /// Who.
        party: PartyId,
    },
    /// The amount must be above zero.
    AmountNotPositive,
    /// The purchase was reported before.
    DuplicatePurchase {
        /// Its reference.
        reference: Hash,
    },
    /// There is no such purchase, it was reversed, or the last day of its points has passed.
    UnknownPurchase {
        /// The reference given.
        reference: Hash,
    },
    /// At least one point must be given.
    NoPoints,
    /// Fewer points than a redemption needs.
    BelowMinimum {
        /// Points given.
        points: u64,
        /// Points needed.
        minimum: u64,
    },
    /// The member does not have that many points.
    NotEnoughPoints {
        /// Points that the member can use today.
        available: u64,
        /// Points needed.
        needed: u64,
    },
    /// A member cannot give points to itself.
    GiftToSelf,
    /// The sponsor's account cannot pay: there is not enough money, or the limit of the month is reached.
    FundingShort {
        /// What was there, in minor units.
        available: u128,
        /// What was needed, in minor units.
        needed: u128,
    },
    /// A number is larger than the programme can count.
    TooLarge,
    /// Members still have points.
    StillOutstanding {
        /// How many.
        points: u64,
    },
    /// What members hold is not what the books say.
    NotAsBooked {
        /// Points in all lots together.
        held: u64,
        /// Points outstanding.
        booked: u64,
    },
}

/// What a programme reports.
#[events]
pub enum Event {
    /// A party became a member.
    Joined {
        /// Who.
        member: PartyId,
    },
    /// A purchase earned points.
    Earned {
        /// Who bought.
        member: PartyId,
        /// The purchase.
        reference: Hash,
        /// Points that the member got.
        points: u64,
        /// Points that were kept for what the member owed.
        repaid: u64,
    },
    /// A member paid with points.
    Redeemed {
        /// Who.
        member: PartyId,
        /// Points used.
        points: u64,
        /// What the merchant got.
        paid: Money,
    },
    /// Points ran out.
    Expired {
        /// Whose.
        member: PartyId,
        /// How many.
        points: u64,
    },
    /// A purchase was taken back.
    Reversed {
        /// Who had bought.
        member: PartyId,
        /// The purchase.
        reference: Hash,
        /// Points taken back now.
        points: u64,
        /// Points that the member owes for it.
        owed: u64,
    },
    /// A member gave points to another.
    Given {
        /// Who gave.
        from: PartyId,
        /// Who got.
        to: PartyId,
        /// How many.
        points: u64,
    },
}
