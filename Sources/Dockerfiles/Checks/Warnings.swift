extension Dockerfile {
    /// What `apus build --check` has to say, in the order of the lines. What the Dockerfile's `# check=` skips is not
    /// in it.
    ///
    /// - Parameters:
    ///   - scope: What `FROM` uses; `nil` for the defaults.
    ///   - environments: Of the base images, by stage. Where one is not known, a variable that is not there is told only
    ///     if it is nearly one that is: it may come with the image.
    ///   - rules: What is kept out of the context, for `CopyIgnoredFile`.
    /// - Throws: For arguments before the first `FROM` that cannot be expanded.
    public func warnings(
        in scope: GlobalScope? = nil, environments: [Int: [Assignment]] = [:],
        ignoring rules: IgnoreRules = IgnoreRules()
    ) throws(DockerfileError) -> [CheckWarning] {
        var known = GlobalScope()
        if let scope { known = scope } else { known = try globalScope() }
        var checks = StageChecks(self, in: known, environments: environments, ignoring: rules)
        checks.run()
        let order = CheckRule.allCases
        return (notes + checks.warnings).filter(isWanted).sorted { one, other in
            let lines = (one.place.lines.lowerBound, other.place.lines.lowerBound)
            if lines.0 != lines.1 { return lines.0 < lines.1 }
            return order.firstIndex(of: one.rule) ?? 0 < order.firstIndex(of: other.rule) ?? 0
        }
    }

    private func isWanted(_ warning: CheckWarning) -> Bool {
        let local = localChecks[warning.place.lines.lowerBound] ?? CheckOptions()
        let chosen =
            warning.rule.isExperimental
            ? directives.experimentalChecks + local.experimental : directives.skippedChecks + local.skipped
        return (chosen.contains("all") || chosen.contains(warning.rule.rawValue)) == warning.rule.isExperimental
    }
}

/// Goes through the stages with their variables, as a build does.
struct StageChecks {
    /// What a stage passes on to those that are based on it.
    private struct State {
        var variables: Variables
        /// Whether all that the base's environment has is known.
        var isComplete: Bool
        var hasShell = false
        var hasWorkdir = false
    }

    private let dockerfile: Dockerfile
    private let scope: GlobalScope
    private let environments: [Int: [Assignment]]
    private let rules: IgnoreRules
    private var states: [State] = []
    private(set) var warnings: [CheckWarning] = []

    init(
        _ dockerfile: Dockerfile, in scope: GlobalScope, environments: [Int: [Assignment]], ignoring rules: IgnoreRules
    ) {
        self.dockerfile = dockerfile
        self.scope = scope
        self.environments = environments
        self.rules = rules
    }

    mutating func run() {
        checkGlobalArguments()
        checkNames()
        for (index, stage) in dockerfile.stages.enumerated() {
            var state = begin(stage, at: index)
            var last: [String: Place] = [:]
            for statement in stage.statements {
                checkRepetition(of: statement, last: &last)
                check(statement, in: &state)
            }
            states.append(state)
        }
    }

    private mutating func warn(_ rule: CheckRule, _ place: Place, _ message: String) {
        warnings.append(CheckWarning(rule, at: place, message))
    }

    // MARK: FROM

    private mutating func checkGlobalArguments() {
        for statement in dockerfile.globalArguments {
            guard case .arg(let arguments) = statement.instruction else { continue }
            checkSecrets("ARG", arguments.map(\.name), statement.place)
        }
    }

    private mutating func checkNames() {
        var names: Set<String> = []
        for stage in dockerfile.stages {
            guard let name = stage.name else { continue }
            if ["context", "scratch"].contains(name) {
                warn(
                    .reservedStageName, stage.place,
                    "Stage name should not use the same name as reserved stage \"\(name)\"")
            }
            if !names.insert(name).inserted {
                warn(.duplicateStageName, stage.place, "Duplicate stage name \"\(name)\", stage names should be unique")
            }
        }
    }

    private mutating func begin(_ stage: Stage, at index: Int) -> State {
        checkPlatform(of: stage)
        checkDefaults(of: stage)
        // What cannot be expanded fails the build, which says so; here it is no matter.
        guard let base = try? dockerfile.base(of: stage, in: scope) else {
            return State(variables: Variables(scope: scope), isComplete: false)
        }
        for name in base.undefined.subtracting(scope.declared).sorted() {
            let near = Self.suggestion(for: name, among: scope.declared.sorted(), prefix: "")
            warn(.undefinedArgInFrom, stage.place, "FROM argument '\(name)' is not declared\(near)")
        }
        if case .stage(let earlier) = dockerfile.source(ofBase: base.name, at: index) { return states[earlier] }
        var environment = environments[index] ?? []
        if !environment.contains(where: { $0.name == "PATH" }) {
            environment.append(Assignment(name: "PATH", value: ""))
        }
        return State(
            variables: Variables(scope: scope, environment: environment),
            isComplete: environments[index] != nil || base.name == "scratch")
    }

    private mutating func checkPlatform(of stage: Stage) {
        guard let platform = stage.platform else { return }
        if platform == "$TARGETPLATFORM" || platform == "${TARGETPLATFORM}" {
            warn(
                .redundantTargetPlatform, stage.place,
                "Setting platform to predefined \(platform) in FROM is redundant as this is the default behavior")
        }
        let parts = platform.split(separator: "/").prefix(2)
        if !platform.contains("$"), !parts.contains(where: { stage.name?.contains($0) == true }) {
            warn(
                .fromPlatformFlagConstDisallowed, stage.place,
                "FROM --platform flag should not use constant value \"\(platform)\"")
        }
    }

    /// Whether the image has a name even if nothing is given.
    private mutating func checkDefaults(of stage: Stage) {
        guard stage.base.contains("$") else { return }
        // What cannot be expanded fails the build.
        guard let defaults = try? dockerfile.globalScope(predefined: scope.predefined),
            let base = try? dockerfile.expand(stage.base, in: defaults, at: stage.place).text,
            !ImageName.isValid(base)
        else { return }
        warn(
            .invalidDefaultArgInFrom, stage.place,
            "Default value for ARG \(stage.base) results in empty or invalid base image name")
    }

    // MARK: Instructions

    private mutating func checkRepetition(of statement: Statement, last: inout [String: Place]) {
        let name: String
        switch statement.instruction {
        case .cmd: name = "CMD"
        case .entrypoint: name = "ENTRYPOINT"
        case .healthcheck: name = "HEALTHCHECK"
        default: return
        }
        // The earlier one is the one without effect.
        if let earlier = last.updateValue(statement.place, forKey: name) {
            warn(
                .multipleInstructionsDisallowed, earlier,
                "Multiple \(name) instructions should not be used in the same stage because only the last one will be used"
            )
        }
    }

    private mutating func check(_ statement: Statement, in state: inout State) {
        // What cannot be expanded fails the build.
        guard let expanded = try? dockerfile.expanded(statement, in: state.variables) else { return }
        for name in expanded.undefined.sorted() {
            let near = Self.suggestion(for: name, among: state.variables.names, prefix: "$")
            guard state.isComplete || !near.isEmpty else { continue }
            warn(.undefinedVar, statement.place, "Usage of undefined variable '$\(name)'\(near)")
        }
        let place = statement.place
        switch expanded.instruction {
        case .arg(let arguments): checkSecrets("ARG", arguments.map(\.name), place)
        case .env(let assignments): checkSecrets("ENV", assignments.map(\.name), place)
        case .cmd(.shell): checkForm("CMD", place, state)
        case .entrypoint(.shell): checkForm("ENTRYPOINT", place, state)
        case .shell: state.hasShell = true
        case .workdir(let path):
            if !state.hasWorkdir, !path.hasPrefix("/") {
                warn(
                    .workdirRelativePath, place,
                    "Relative workdir \"\(path)\" can have unexpected results if the base image changes")
            }
            state.hasWorkdir = true
        case .expose(let ports): for port in ports { check(port: port, place) }
        case .copy(let copy): check(copy, "Copy", place)
        case .add(let copy): check(copy, "Add", place)
        default: break
        }
        state.variables.apply(expanded.instruction)
    }

    private mutating func checkForm(_ name: String, _ place: Place, _ state: State) {
        guard !state.hasShell else { return }
        warn(
            .jsonArgsRecommended, place,
            "JSON arguments recommended for \(name) to prevent unintended behavior related to OS signals")
    }

    private mutating func check(port: String, _ place: Place) {
        if port.contains(":") {
            warn(
                .exposeInvalidFormat, place,
                "EXPOSE instruction should not define an IP address or host-port mapping, found '\(port)'")
        }
        if let protocolName = port.split(separator: "/").dropFirst().last, protocolName != protocolName.lowercased() {
            warn(.exposeProtoCasing, place, "Defined protocol '\(port)' in EXPOSE instruction should be lowercase")
        }
    }

    private mutating func check(_ copy: CopyInstruction, _ verb: String, _ place: Place) {
        // Of what an exception may let in, nothing is told.
        guard copy.from == nil, !rules.isEmpty, !rules.hasExceptions else { return }
        for source in copy.sources {
            guard case .path(let path) = source, !path.contains("://") else { continue }
            let cleaned = IgnoreRules.clean(path)
            if cleaned == "." ? rules.keepsAllOut : rules.matches(path: cleaned) {
                warn(
                    .copyIgnoredFile, place,
                    "Attempting to \(verb) file \"\(cleaned)\" that is excluded by .dockerignore")
            }
        }
    }

    // MARK: Names

    private mutating func checkSecrets(_ instruction: String, _ names: [String], _ place: Place) {
        let secret = [
            "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token",
        ]
        for name in names {
            let words = name.lowercased().split(separator: "_").map(String.init)
            guard words.contains(where: secret.contains),
                !words.contains(where: ["public", "file", "version"].contains)
            else { continue }
            warn(
                .secretsUsedInArgOrEnv, place,
                "Do not use ARG or ENV instructions for sensitive data (\(instruction) \"\(name)\")")
        }
    }

    /// ` (did you mean x?)`, or nothing.
    private static func suggestion(for name: String, among names: [String], prefix: String) -> String {
        guard let near = nearest(to: name, among: names) else { return "" }
        return " (did you mean \(prefix)\(near)?)"
    }
}

/// Names of images as far as it takes to see whether one can be one.
enum ImageName {
    /// Whether `name` is a path in lower case, perhaps with a registry before it, a tag and a digest behind.
    static func isValid(_ name: String) -> Bool {
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 1 || parts[1].contains(":") && !parts[1].hasSuffix(":") else { return false }
        var path = parts[0]
        let lastSlash = path.lastIndex(of: "/") ?? path.startIndex
        if let colon = path[lastSlash...].lastIndex(of: ":") {
            let tag = path[path.index(after: colon)...]
            guard !tag.isEmpty, tag.utf8.count <= 128, tag.first != ".", tag.first != "-",
                tag.utf8.allSatisfy({ isAlphanumeric($0) || "_.-".utf8.contains($0) })
            else { return false }
            path = path[..<colon]
        }
        var names = path.split(separator: "/", omittingEmptySubsequences: false)
        if names.count > 1, names[0].contains(where: { $0 == "." || $0 == ":" }) || names[0] == "localhost" {
            names.removeFirst()
        }
        return names.allSatisfy { name in
            guard let first = name.utf8.first, let last = name.utf8.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last) && name == name.lowercased()
                && name.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
    }
}
