public import Linux

/// One flag of a command whose words are read into a `Target`.
public struct Flag<Target>: Sendable {
    /// What the flag does with the target.
    public enum Action: Sendable {
        /// On or off; on without a value.
        case toggle(@Sendable (inout Target, Bool) throws(Failure) -> Void)
        /// Wants a value.
        case value(@Sendable (inout Target, String) throws(Failure) -> Void)
    }

    public let description: FlagDescription
    public let action: Action

    /// A flag that is on or off.
    public static func toggle(
        _ name: String, _ letter: Character? = nil, _ help: String,
        _ store: @escaping @Sendable (inout Target, Bool) throws(Failure) -> Void
    ) -> Self {
        Flag(description: FlagDescription(name, letter, nil, false, help), action: .toggle(store))
    }

    /// A flag with one value.
    public static func value(
        _ name: String, _ letter: Character? = nil, _ metavar: String, _ help: String,
        _ store: @escaping @Sendable (inout Target, String) throws(Failure) -> Void
    ) -> Self {
        Flag(description: FlagDescription(name, letter, metavar, false, help), action: .value(store))
    }

    /// A flag that may be given more than once; each value is stored as it comes.
    public static func list(
        _ name: String, _ letter: Character? = nil, _ metavar: String, _ help: String,
        _ store: @escaping @Sendable (inout Target, String) throws(Failure) -> Void
    ) -> Self {
        Flag(description: FlagDescription(name, letter, metavar, true, help), action: .value(store))
    }
}

/// What help, completions and manual pages say of a flag.
public struct FlagDescription: Sendable, Equatable {
    /// Without the dashes.
    public let name: String
    /// Its short form, without the dash.
    public let letter: Character?
    /// What its value is called; `nil` for a flag that is on or off.
    public let metavar: String?
    public let isRepeatable: Bool
    /// One line.
    public let help: String

    init(_ name: String, _ letter: Character?, _ metavar: String?, _ isRepeatable: Bool, _ help: String) {
        self.name = name
        self.letter = letter
        self.metavar = metavar
        self.isRepeatable = isRepeatable
        self.help = help
    }
}

/// Flags that help shows together.
public struct FlagGroup<Target>: Sendable {
    public let title: String
    public let flags: [Flag<Target>]

    public init(_ title: String, _ flags: [Flag<Target>]) {
        self.title = title
        self.flags = flags
    }
}
