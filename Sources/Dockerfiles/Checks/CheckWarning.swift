/// What `apus build --check` says of a place in a Dockerfile.
public struct CheckWarning: Sendable, Equatable {
    public var rule: CheckRule
    public var place: Place
    /// In one line and without a full stop.
    public var message: String

    public init(_ rule: CheckRule, at place: Place, _ message: String) {
        self.rule = rule
        self.place = place
        self.message = message
    }
}

/// The rules, by the names that `# check=skip=` knows.
///
/// Source: docs.docker.com/reference/build-checks; `InvalidJSONForm` is Apus' own.
public enum CheckRule: String, Sendable, CaseIterable {
    case stageNameCasing = "StageNameCasing"
    case fromAsCasing = "FromAsCasing"
    case noEmptyContinuation = "NoEmptyContinuation"
    case consistentInstructionCasing = "ConsistentInstructionCasing"
    case duplicateStageName = "DuplicateStageName"
    case reservedStageName = "ReservedStageName"
    case jsonArgsRecommended = "JSONArgsRecommended"
    case maintainerDeprecated = "MaintainerDeprecated"
    case undefinedArgInFrom = "UndefinedArgInFrom"
    case undefinedVar = "UndefinedVar"
    case multipleInstructionsDisallowed = "MultipleInstructionsDisallowed"
    case legacyKeyValueFormat = "LegacyKeyValueFormat"
    case redundantTargetPlatform = "RedundantTargetPlatform"
    case secretsUsedInArgOrEnv = "SecretsUsedInArgOrEnv"
    case invalidDefaultArgInFrom = "InvalidDefaultArgInFrom"
    case workdirRelativePath = "WorkdirRelativePath"
    case fromPlatformFlagConstDisallowed = "FromPlatformFlagConstDisallowed"
    case copyIgnoredFile = "CopyIgnoredFile"
    case invalidDefinitionDescription = "InvalidDefinitionDescription"
    case exposeInvalidFormat = "ExposeInvalidFormat"
    case exposeProtoCasing = "ExposeProtoCasing"
    case invalidJSONForm = "InvalidJSONForm"

    /// Whether it applies only where `# check=experimental=` names it.
    public var isExperimental: Bool { self == .invalidDefinitionDescription }
}
