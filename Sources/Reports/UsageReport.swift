public import OCI

/// What a command used, under which limits, and how it ended: what `--report` writes.
///
/// `report.schema.json` describes it for users. In JSON each number is an integer whose name ends in its unit, `Bytes` or
/// `Nanoseconds`, or it is a count. What is not known is left out, and never 0.
public struct UsageReport: JSONMappable, Sendable, Equatable {
    /// Of the schema that this Apus writes. A field may come without a new one; a change of what is there may not.
    public static let currentSchemaVersion = 1
    /// What tells a report from other JSON.
    public static let kind = "apus-report"

    /// Of the Apus that wrote it.
    public var version = ""
    /// The words as they were executed.
    public var command: [String] = []
    /// Absolute.
    public var workingDirectory: String?
    public var user: User?
    public var host = Host()
    /// `nil` for a command that ran on the machine itself.
    public var container: Container?
    /// When the command began: RFC 3339 in UTC with nanoseconds, as `2024-05-06T07:08:09.123456789Z`.
    public var start: String?
    /// When it ended.
    public var end: String?
    /// From its begin to its end, in nanoseconds, by a clock that nobody sets.
    public var wall: UInt64?
    public var outcome = Outcome()
    /// What the figures come from: all of the command's processes for cgroups, those that were waited for with
    /// `.rusage`, and what was there at the moments it was looked at with `.sampling`.
    public var accounting: Mechanism?
    public var cpu = CPU()
    public var memory = Memory()
    public var pageFaults = PageFaults()
    public var io = IO()
    public var processes = Processes()
    public var contextSwitches = ContextSwitches()
    public var pressure = Pressure()
    public var network = Network()
    /// In the order in which they were asked for.
    public var limits: [Limit] = []
    public var samples: Samples?

    public init() {}

    private var kind = Self.kind
    private var schemaVersion = Self.currentSchemaVersion

    package mutating func map(_ fields: JSONFields) {
        fields.required("kind", &kind)
        fields.check("kind", kind == Self.kind, expected: "'\(Self.kind)'")
        fields.required("schemaVersion", &schemaVersion)
        fields.check(
            "schemaVersion", schemaVersion == Self.currentSchemaVersion, expected: "\(Self.currentSchemaVersion)")
        fields.required("version", &version)
        fields.required("command", &command)
        fields.optional("workingDirectory", &workingDirectory)
        fields.optional("user", &user)
        fields.section("host", &host)
        fields.optional("container", &container)
        fields.optional("start", &start)
        fields.optional("end", &end)
        fields.optional("wallNanoseconds", &wall)
        fields.required("outcome", &outcome)
        fields.optional("accounting", &accounting)
        fields.section("cpu", &cpu)
        fields.section("memory", &memory)
        fields.section("pageFaults", &pageFaults)
        fields.section("io", &io)
        fields.section("processes", &processes)
        fields.section("contextSwitches", &contextSwitches)
        fields.section("pressure", &pressure)
        fields.section("network", &network)
        fields.required("limits", &limits)
        fields.optional("samples", &samples)
    }
}

extension JSONFields {
    /// An object that is left out when nothing in it is known.
    func section<Section: JSONMappable & Equatable>(_ name: StaticString, _ property: inout Section) {
        var known = property == Section() ? nil : property
        optional(name, &known)
        if let known { property = known }
    }
}

// MARK: Whose and where

extension UsageReport {
    /// Who ran the command.
    public struct User: JSONMappable, Sendable, Equatable {
        public var id: UInt32
        /// `nil` for an ID without an entry in passwd.
        public var name: String?

        public init(id: UInt32, name: String? = nil) {
            self.id = id
            self.name = name
        }

        package init() { self.init(id: 0) }

        package mutating func map(_ fields: JSONFields) {
            fields.required("id", &id)
            fields.optional("name", &name)
        }
    }

    /// The machine.
    public struct Host: JSONMappable, Sendable, Equatable {
        public var name: String?
        /// The kernel's release: `6.18.3`.
        public var kernel: String?
        /// As uname(2) has it: `x86_64`.
        public var architecture: String?
        /// How many processors the command could have run on without its limits.
        public var processors: Int?
        /// All of the machine's memory, in bytes.
        public var memory: UInt64?
        /// What limits can be held by: `v2`, `v1`, `hybrid`, or `none`.
        public var cgroups: String?

        public init() {}

        package mutating func map(_ fields: JSONFields) {
            fields.optional("name", &name)
            fields.optional("kernel", &kernel)
            fields.optional("architecture", &architecture)
            fields.optional("processors", &processors)
            fields.optional("memoryBytes", &memory)
            fields.optional("cgroups", &cgroups)
        }
    }

    /// The container that the command was the first process of.
    public struct Container: JSONMappable, Sendable, Equatable {
        /// 64 hexadecimal digits.
        public var id: String
        public var name: String?
        /// As it was asked for: a reference, or the root in place of one (`@host`).
        public var image: String?

        public init(id: String, name: String? = nil, image: String? = nil) {
            self.id = id
            self.name = name
            self.image = image
        }

        package init() { self.init(id: "") }

        package mutating func map(_ fields: JSONFields) {
            fields.required("id", &id)
            fields.optional("name", &name)
            fields.optional("image", &image)
        }
    }
}
