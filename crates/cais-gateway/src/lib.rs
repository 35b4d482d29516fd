//! The data plane: listens, routes, balances, proxies. It obeys the last [`RouteTable`](table::RouteTable)
//! that it was given and reports what it did; it decides nothing about tasks.

pub mod protocol;
pub mod table;
