//! The public API of Tollgate, generated from the .proto files beside this crate.
//!
//! The .proto files are the contract and carry its documentation; this crate adds nothing
//! to them, so that callers in every language see the same API.

/// What callers use: completions and their own usage.
pub mod v1 {
    #![expect(clippy::all, reason = "generated code")]
    tonic::include_proto!("tollgate.v1");

    /// The descriptors of this package, for server reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/callers.bin"));
}

/// What operators use: keys, targets, budgets, configuration.
pub mod admin {
    /// Version 1 of the operators' API.
    pub mod v1 {
        #![expect(clippy::all, reason = "generated code")]
        tonic::include_proto!("tollgate.admin.v1");

        /// The descriptors of this package and of those that it imports, for server reflection.
        pub const FILE_DESCRIPTOR_SET: &[u8] =
            include_bytes!(concat!(env!("OUT_DIR"), "/operators.bin"));
    }
}
