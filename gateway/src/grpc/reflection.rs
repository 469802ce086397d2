//! Server reflection: each listener tells of what it serves, and of nothing else.

use std::io;
use tollgate_proto::{
    admin::v1::{self as admin, admin_service_server},
    v1::{self as callers, completion_service_server, usage_service_server},
};
use tonic::service::Routes;
use tonic_health::pb::health_server;
use tonic_reflection::{
    pb::{v1::server_reflection_server as v1, v1alpha::server_reflection_server as v1alpha},
    server::Builder,
};

/// Adds reflection of what callers use.
///
/// # Errors
///
/// When the descriptors, which are built in, do not fit together.
pub fn of_callers(routes: Routes) -> io::Result<Routes> {
    let descriptors = [
        callers::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
    ];
    let services = [
        completion_service_server::SERVICE_NAME,
        usage_service_server::SERVICE_NAME,
        health_server::SERVICE_NAME,
    ];
    of(routes, &descriptors, &services)
}

/// Adds reflection of what operators use.
///
/// # Errors
///
/// When the descriptors, which are built in, do not fit together.
pub fn of_operators(routes: Routes) -> io::Result<Routes> {
    // The file imports messages of callers; their services are not served there.
    let services = [admin_service_server::SERVICE_NAME];
    of(routes, &[admin::FILE_DESCRIPTOR_SET], &services)
}

fn of(routes: Routes, descriptors: &[&[u8]], services: &[&str]) -> io::Result<Routes> {
    let reflection = || {
        // The details of errors, so that grpcurl can show them.
        let details = tonic_types::pb::FILE_DESCRIPTOR_SET;
        let builder = Builder::configure().register_encoded_file_descriptor_set(details);
        let builder = descriptors.iter().fold(builder, |builder, descriptor| {
            builder.register_encoded_file_descriptor_set(descriptor)
        });
        let own = [v1::SERVICE_NAME, v1alpha::SERVICE_NAME];
        let services = services.iter().chain(&own);
        services.fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let v1 = reflection().build_v1().map_err(io::Error::other)?;
    let v1alpha = reflection().build_v1alpha().map_err(io::Error::other)?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}
