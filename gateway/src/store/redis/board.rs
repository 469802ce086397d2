//! The operators' board in Redis: one hash that all replicas read.

use super::{RedisStore, fault::Fault, keys};
use crate::{
    operators::{Board, Notes},
    store::Reply,
};
use futures_util::future::FutureExt as _;
use redis::{Cmd, FromRedisValue, Value};

impl RedisStore {
    async fn on_board<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Fault> {
        // Past the gate: nobody who waits for an admission waits for this.
        let wire = &self.shared.repairs.wire;
        let value: Value = wire.send("operators", command).await?;
        T::from_redis_value(value).map_err(|error| Fault::Wrong(error.to_string()))
    }
}

impl Board for RedisStore {
    fn read(&self) -> Reply<'_, Notes> {
        async {
            let read = redis::cmd("HGETALL").arg(keys::OPERATORS).take();
            Ok(self.on_board(&read).await?)
        }
        .boxed()
    }

    fn add<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, bool> {
        async move {
            let add = redis::cmd("HSETNX")
                .arg(keys::OPERATORS)
                .arg(name)
                .arg(note)
                .take();
            Ok(self.on_board::<i64>(&add).await? == 1)
        }
        .boxed()
    }

    fn replace<'a>(&'a self, name: &'a str, note: &'a str) -> Reply<'a, ()> {
        async move {
            let set = redis::cmd("HSET")
                .arg(keys::OPERATORS)
                .arg(name)
                .arg(note)
                .take();
            self.on_board::<i64>(&set).await?;
            Ok(())
        }
        .boxed()
    }
}
