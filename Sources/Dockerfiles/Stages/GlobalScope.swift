/// The variables that `FROM` can use, and what stages get of them when they repeat `ARG NAME`.
public struct GlobalScope: Sendable, Equatable {
    /// `--build-arg`.
    public let given: [String: String]
    /// The `ARG`s before the first `FROM` that have a value, and the predefined ones.
    public private(set) var values: [String: String]
    /// Those that are known at all.
    private(set) var declared: Set<String>
    let predefined: [String: String]

    /// - Parameters:
    ///   - given: `--build-arg`, which also replaces what is predefined.
    ///   - predefined: What is there without `ARG`; see `predefined(build:target:stage:)`.
    public init(given: [String: String] = [:], predefined: [String: String] = [:]) {
        self.given = given
        self.predefined = predefined
        values = predefined
        for name in predefined.keys {
            if let value = given[name] { values[name] = value }
        }
        declared = Set(predefined.keys)
    }

    /// Declares an argument that stands before the first `FROM`.
    mutating func declare(_ argument: Argument) {
        declared.insert(argument.name)
        if let value = argument.value { values[argument.name] = value }
    }

    /// A platform in its parts.
    public struct Platform: Sendable, Equatable {
        public var os: String
        public var architecture: String
        public var variant: String?

        public init(os: String, architecture: String, variant: String? = nil) {
            self.os = os
            self.architecture = architecture
            self.variant = variant
        }

        var description: String { [os, architecture, variant].compactMap { $0 }.joined(separator: "/") }
    }

    /// The variables that name the platforms and the target, for the global scope.
    ///
    /// - Parameter stage: `--target`; `nil` for the last stage, which is `default` unless it has a name.
    public static func predefined(build: Platform, target: Platform, stage: String?) -> [String: String] {
        [
            "BUILDPLATFORM": build.description, "BUILDOS": build.os, "BUILDARCH": build.architecture,
            "BUILDVARIANT": build.variant ?? "",
            "TARGETPLATFORM": target.description, "TARGETOS": target.os, "TARGETARCH": target.architecture,
            "TARGETVARIANT": target.variant ?? "", "TARGETSTAGE": stage ?? "default",
        ]
    }

    /// The arguments for proxies, which each `RUN` gets without `ARG`, and which belong neither to the cache nor to the
    /// image's history. In both cases, as programs differ in which they look at.
    public var proxies: [Assignment] {
        ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"].flatMap { name -> [Assignment] in
            let upper = name.uppercased()
            guard let value = given[name] ?? given[upper] else { return [] }
            return [Assignment(name: upper, value: value), Assignment(name: name, value: value)]
        }
    }

    /// Those that can be given without any `ARG`.
    private static let undeclared: Set<String> = {
        let proxies = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"]
        return Set(proxies + proxies.map { $0.uppercased() } + ["SOURCE_DATE_EPOCH"])
    }()

    static func needsNoDeclaration(_ name: String) -> Bool {
        undeclared.contains(name) || name.hasPrefix("BUILDKIT_")
    }
}

/// What `FROM` says once its variables are known.
public struct ExpandedBase: Sendable, Equatable {
    /// The image, another stage's name or `scratch`.
    public var name: String
    public var platform: String?
    public var used: Set<String>
    public var undefined: Set<String>

    public init(name: String, platform: String? = nil, used: Set<String> = [], undefined: Set<String> = []) {
        self.name = name
        self.platform = platform
        self.used = used
        self.undefined = undefined
    }
}

extension Dockerfile {
    /// The scope of `FROM`: what is given, what is predefined, and the `ARG`s before the first stage.
    ///
    /// - Throws: For a default value that cannot be expanded.
    public func globalScope(
        given: [String: String] = [:], predefined: [String: String] = [:]
    ) throws(DockerfileError) -> GlobalScope {
        var scope = GlobalScope(given: given, predefined: predefined)
        for statement in globalArguments {
            guard case .arg(let arguments) = statement.instruction else { continue }
            for argument in arguments {
                var resolved = argument
                if let value = given[argument.name] {
                    resolved.value = value
                } else if let value = argument.value {
                    resolved.value = try expand(value, in: scope, at: statement.place).text
                }
                scope.declare(resolved)
            }
        }
        return scope
    }

    /// What `FROM` of `stage` names.
    ///
    /// - Throws: For words that cannot be expanded, and for what has become empty.
    public func base(of stage: Stage, in scope: GlobalScope) throws(DockerfileError) -> ExpandedBase {
        let base = try expand(stage.base, in: scope, at: stage.place)
        var result = ExpandedBase(name: base.text, used: base.used, undefined: base.undefined)
        try refuseEmpty(base, of: stage.base, "the image", in: scope, at: stage.place)
        if let platform = stage.platform {
            let expanded = try expand(platform, in: scope, at: stage.place)
            try refuseEmpty(expanded, of: platform, "the platform", in: scope, at: stage.place)
            result.platform = expanded.text
            result.used.formUnion(expanded.used)
            result.undefined.formUnion(expanded.undefined)
        }
        return result
    }

    private func refuseEmpty(
        _ result: Expansion.Result, of word: String, _ what: String, in scope: GlobalScope, at place: Place
    ) throws(DockerfileError) {
        guard result.text.isEmpty else { return }
        let remedy = result.undefined.min().map { name in
            didYouMean(name, among: scope.values.keys.sorted(), quotedWith: "$")
                ?? "put 'ARG \(name)=…' before the first FROM"
        }
        throw error(SyntaxError("\(what) '\(word)' is empty", remedy: remedy), at: place, near: word)
    }

    /// Expands a word of `FROM` or of an `ARG` before it.
    func expand(
        _ word: String, in scope: GlobalScope, at place: Place
    ) throws(DockerfileError) -> Expansion.Result {
        do throws(SyntaxError) {
            return try Expansion(escape: directives.escape, scope.values).expand(word)
        } catch {
            throw self.error(error, at: place, near: word)
        }
    }

    /// `SOURCE_DATE_EPOCH`, given or as an `ARG` before the first `FROM`: when the image and its files are made.
    ///
    /// - Returns: Seconds since 1970; `nil` if it is not there or empty.
    /// - Throws: For what is no number.
    public func sourceDateEpoch(in scope: GlobalScope) throws(DockerfileError) -> Int64? {
        let name = "SOURCE_DATE_EPOCH"
        guard let text = scope.given[name] ?? scope.values[name], !text.isEmpty else { return nil }
        if let seconds = Int64(text), seconds >= 0 { return seconds }
        throw DockerfileError(
            file: self.name, line: 0, what: "\(name) is '\(text)'", remedy: "give seconds since 1970")
    }

    /// The names of `--build-arg` that no `ARG` takes, nor anything else, in order.
    public func unusedArguments(among given: some Sequence<String>) -> [String] {
        let statements = globalArguments + stages.flatMap(\.statements)
        var declared: Set<String> = []
        for statement in statements {
            var instruction = statement.instruction
            if case .onbuild(_, let trigger) = instruction { instruction = trigger }
            if case .arg(let arguments) = instruction { declared.formUnion(arguments.map(\.name)) }
        }
        return given.filter { !declared.contains($0) && !GlobalScope.needsNoDeclaration($0) }.sorted()
    }
}
