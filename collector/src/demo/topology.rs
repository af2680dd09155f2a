//! The shop's services: what they serve, how long it takes, and whom they ask.

/// A service of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Frontend,
    Cart,
    Checkout,
    Payment,
    Catalog,
    Currency,
    Shipping,
    Email,
    Recommendation,
    Ads,
}

impl Service {
    pub(super) const ALL: [Self; 10] = [
        Self::Frontend,
        Self::Cart,
        Self::Checkout,
        Self::Payment,
        Self::Catalog,
        Self::Currency,
        Self::Shipping,
        Self::Email,
        Self::Recommendation,
        Self::Ads,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Payment => "payment",
            Self::Catalog => "catalog",
            Self::Currency => "currency",
            Self::Shipping => "shipping",
            Self::Email => "email",
            Self::Recommendation => "recommendation",
            Self::Ads => "ads",
        }
    }

    /// Memory of a fresh process in bytes.
    pub(super) const fn memory(self) -> f64 {
        match self {
            Self::Catalog | Self::Recommendation => 180e6,
            Self::Frontend | Self::Checkout => 140e6,
            _ => 90e6,
        }
    }

    /// Whether it has a pool of database connections.
    pub(super) const fn has_pool(self) -> bool {
        matches!(self, Self::Cart | Self::Catalog)
    }
}

/// Something that a service does on request.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) service: Service,
    pub(super) name: &'static str,
    /// Median time of its own work.
    pub(super) work_ms: f64,
    pub(super) asks: &'static [Ask],
}

/// A request to another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// Of another service; the asker fails if this fails.
    Needs(&'static Operation),
    /// Of another service; the asker does without if this fails.
    Likes(&'static Operation),
    /// Of something that sends no telemetry.
    Peer(&'static Peer),
}

/// Something that sends no telemetry.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// `db.system.name`, if it is a database.
    pub(super) database: Option<&'static str>,
    pub(super) request: &'static str,
    pub(super) median_ms: f64,
}

static REDIS_GET: Peer = Peer { name: "redis", database: Some("redis"), request: "HGETALL", median_ms: 1.2 };
static REDIS_SET: Peer = Peer { name: "redis", database: Some("redis"), request: "HSET", median_ms: 1.5 };
static POSTGRES: Peer =
    Peer { name: "postgres", database: Some("postgresql"), request: "SELECT products", median_ms: 8.0 };
static BANK: Peer =
    Peer { name: "bank.example.com", database: None, request: "POST /charges", median_ms: 45.0 };

macro_rules! operation {
    ($id:ident, $service:ident, $name:literal, $work:literal, [$($ask:expr),*]) => {
        static $id: Operation =
            Operation { service: Service::$service, name: $name, work_ms: $work, asks: &[$($ask),*] };
    };
}

operation!(CONVERT, Currency, "POST /convert", 2.0, []);
operation!(ADS, Ads, "GET /ads", 4.0, []);
operation!(QUOTE, Shipping, "POST /quote", 5.0, []);
operation!(SHIP, Shipping, "POST /ship", 8.0, []);
operation!(MAIL, Email, "POST /confirmation", 12.0, []);
operation!(CHARGE, Payment, "POST /charge", 10.0, [Ask::Peer(&BANK)]);
operation!(GET_CART, Cart, "GET /cart/{user}", 3.0, [Ask::Peer(&REDIS_GET)]);
operation!(ADD_TO_CART, Cart, "POST /cart/{user}", 3.0, [Ask::Peer(&REDIS_SET)]);
operation!(PRODUCTS, Catalog, "GET /products", 5.0, [Ask::Peer(&POSTGRES)]);
operation!(PRODUCT, Catalog, "GET /products/{id}", 3.0, [Ask::Peer(&POSTGRES)]);
operation!(RECOMMEND, Recommendation, "GET /recommendations", 14.0, [Ask::Needs(&PRODUCTS)]);
operation!(
    ORDER,
    Checkout,
    "POST /orders",
    9.0,
    [
        Ask::Needs(&GET_CART),
        Ask::Needs(&CONVERT),
        Ask::Needs(&QUOTE),
        Ask::Needs(&CHARGE),
        Ask::Needs(&SHIP),
        Ask::Likes(&MAIL)
    ]
);
operation!(
    HOME,
    Frontend,
    "GET /",
    6.0,
    [Ask::Needs(&PRODUCTS), Ask::Needs(&CONVERT), Ask::Likes(&RECOMMEND), Ask::Likes(&ADS)]
);
operation!(
    SHOW_PRODUCT,
    Frontend,
    "GET /product/{id}",
    5.0,
    [Ask::Needs(&PRODUCT), Ask::Needs(&CONVERT), Ask::Likes(&RECOMMEND)]
);
operation!(SHOW_CART, Frontend, "GET /cart", 5.0, [Ask::Needs(&GET_CART), Ask::Needs(&CONVERT)]);
operation!(BUY, Frontend, "POST /cart", 4.0, [Ask::Needs(&PRODUCT), Ask::Needs(&ADD_TO_CART)]);
operation!(PAY, Frontend, "POST /checkout", 7.0, [Ask::Needs(&ORDER)]);

/// What customers do, and how often of a hundred times.
pub(super) static VISITS: [(&Operation, u32); 5] =
    [(&HOME, 30), (&SHOW_PRODUCT, 30), (&SHOW_CART, 12), (&BUY, 13), (&PAY, 15)];

/// Who asks whom, a line for each service that asks.
pub(super) fn map() -> String {
    let mut asked: Vec<(Service, Vec<&str>)> = Vec::new();
    let mut open: Vec<&Operation> = VISITS.iter().map(|(operation, _)| *operation).collect();
    while let Some(operation) = open.pop() {
        for ask in operation.asks {
            let name = match ask {
                Ask::Needs(next) | Ask::Likes(next) => {
                    open.push(next);
                    next.service.name()
                }
                Ask::Peer(peer) => peer.name,
            };
            let at =
                asked.iter().position(|(service, _)| *service == operation.service).unwrap_or(asked.len());
            if at == asked.len() {
                asked.push((operation.service, Vec::new()));
            }
            if !asked[at].1.contains(&name) {
                asked[at].1.push(name);
            }
        }
    }
    asked.sort_by_key(|(service, _)| *service);
    let lines = asked.iter().map(|(service, names)| format!("{:>16} → {}", service.name(), names.join(", ")));
    lines.collect::<Vec<_>>().join("\n")
}
