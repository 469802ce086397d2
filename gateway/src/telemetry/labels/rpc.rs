//! RPCs and their codes.

use super::Closed;

closed! {
    /// The code of an RPC, in the order of its number.
    pub(in crate::telemetry) GrpcCode {
        /// 0
        Ok = "OK",
        /// 1
        Cancelled = "CANCELLED",
        /// 2
        Unknown = "UNKNOWN",
        /// 3
        InvalidArgument = "INVALID_ARGUMENT",
        /// 4
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        /// 5
        NotFound = "NOT_FOUND",
        /// 6
        AlreadyExists = "ALREADY_EXISTS",
        /// 7
        PermissionDenied = "PERMISSION_DENIED",
        /// 8
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        /// 9
        FailedPrecondition = "FAILED_PRECONDITION",
        /// 10
        Aborted = "ABORTED",
        /// 11
        OutOfRange = "OUT_OF_RANGE",
        /// 12
        Unimplemented = "UNIMPLEMENTED",
        /// 13
        Internal = "INTERNAL",
        /// 14
        Unavailable = "UNAVAILABLE",
        /// 15
        DataLoss = "DATA_LOSS",
        /// 16
        Unauthenticated = "UNAUTHENTICATED",
    }
}

impl GrpcCode {
    /// The code of a number; UNKNOWN for any other.
    pub(in crate::telemetry) fn numbered(number: i32) -> Self {
        let place = usize::try_from(number).ok();
        let code = place.and_then(|place| Self::ALL.get(place));
        code.copied().unwrap_or(Self::Unknown)
    }
}

closed! {
    /// The RPCs that are served, by their full names; all others are one.
    pub(in crate::telemetry) Rpc {
        /// Complete.
        Complete = "tollgate.v1.CompletionService/Complete",
        /// CompleteStream.
        CompleteStream = "tollgate.v1.CompletionService/CompleteStream",
        /// EstimateCost.
        EstimateCost = "tollgate.v1.CompletionService/EstimateCost",
        /// CountTokens.
        CountTokens = "tollgate.v1.CompletionService/CountTokens",
        /// QueryUsage.
        QueryUsage = "tollgate.v1.UsageService/QueryUsage",
        /// GetBudget.
        GetBudget = "tollgate.v1.UsageService/GetBudget",
        /// ListBudgets.
        ListBudgets = "tollgate.v1.UsageService/ListBudgets",
        /// ListModels.
        ListModels = "tollgate.v1.UsageService/ListModels",
        /// CreateKey.
        CreateKey = "tollgate.admin.v1.AdminService/CreateKey",
        /// ListKeys.
        ListKeys = "tollgate.admin.v1.AdminService/ListKeys",
        /// RevokeKey.
        RevokeKey = "tollgate.admin.v1.AdminService/RevokeKey",
        /// ListTargets.
        ListTargets = "tollgate.admin.v1.AdminService/ListTargets",
        /// DrainTarget.
        DrainTarget = "tollgate.admin.v1.AdminService/DrainTarget",
        /// RestoreTarget.
        RestoreTarget = "tollgate.admin.v1.AdminService/RestoreTarget",
        /// ListBudgets, of all teams.
        AllBudgets = "tollgate.admin.v1.AdminService/ListBudgets",
        /// TopUpBudget.
        TopUpBudget = "tollgate.admin.v1.AdminService/TopUpBudget",
        /// QueryUsage, of all teams.
        AllUsage = "tollgate.admin.v1.AdminService/QueryUsage",
        /// ReloadConfig.
        ReloadConfig = "tollgate.admin.v1.AdminService/ReloadConfig",
        /// Health, once.
        HealthCheck = "grpc.health.v1.Health/Check",
        /// Health, from now on.
        HealthWatch = "grpc.health.v1.Health/Watch",
        /// Reflection.
        Reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        /// Any other path.
        Other = "_OTHER/_OTHER",
    }
}

impl Rpc {
    /// The RPC of an HTTP path.
    pub(in crate::telemetry) fn of_path(path: &str) -> Self {
        let name = path.strip_prefix('/').unwrap_or(path);
        Self::named(name).unwrap_or(Self::Other)
    }

    /// Its service and its method.
    pub(in crate::telemetry) fn parts(self) -> (&'static str, &'static str) {
        self.name().split_once('/').expect("every name has a slash")
    }

    /// The kind of its messages.
    pub(in crate::telemetry) const fn kind(self) -> &'static str {
        match self {
            Self::CompleteStream | Self::HealthWatch => "server_stream",
            Self::Reflection => "bidi_stream",
            Self::Complete
            | Self::EstimateCost
            | Self::CountTokens
            | Self::QueryUsage
            | Self::GetBudget
            | Self::ListBudgets
            | Self::ListModels
            | Self::CreateKey
            | Self::ListKeys
            | Self::RevokeKey
            | Self::ListTargets
            | Self::DrainTarget
            | Self::RestoreTarget
            | Self::AllBudgets
            | Self::TopUpBudget
            | Self::AllUsage
            | Self::ReloadConfig
            | Self::HealthCheck
            | Self::Other => "unary",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_numbers() {
        assert_eq!(GrpcCode::numbered(16).name(), "UNAUTHENTICATED");
        assert_eq!(GrpcCode::numbered(-7).name(), "UNKNOWN");
        assert_eq!(GrpcCode::numbered(99).name(), "UNKNOWN");
    }

    #[test]
    fn an_unknown_path_is_one_method_of_its_own() {
        assert_eq!(
            Rpc::of_path("/tollgate.v1.CompletionService/Complete"),
            Rpc::Complete
        );
        assert_eq!(
            Rpc::of_path("/tollgate.v1.CompletionService/complete"),
            Rpc::Other
        );
        assert_eq!(Rpc::Other.parts(), ("_OTHER", "_OTHER"));
    }
}
