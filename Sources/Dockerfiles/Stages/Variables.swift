/// The variables of a stage at one of its instructions.
///
/// They begin with the environment of the base image, or as the stage that it is based on has left them. Whoever builds
/// expands an instruction with them and then applies it, so that the next one sees what it has set.
public struct Variables: Sendable, Equatable {
    private let scope: GlobalScope
    private var values: [String: String] = [:]
    /// The names in `values`, in the order in which they came.
    private var order: [String] = []
    /// What the image's config gets: the base's environment and `ENV`, without arguments.
    public private(set) var environment: [Assignment] = []
    /// Where a name is in `environment`.
    private var environmentIndex: [String: Int] = [:]
    /// The arguments of the stage, and of those that it is based on, in order and each once.
    public private(set) var arguments: [String] = []
    private var argumentNames: Set<String> = []

    /// - Parameters:
    ///   - scope: For `ARG NAME`.
    ///   - environment: Of the base image.
    public init(scope: GlobalScope, environment: [Assignment] = []) {
        self.scope = scope
        for assignment in environment { setEnvironment(assignment) }
    }

    /// - Returns: `nil` for what has no value.
    public subscript(_ name: String) -> String? { values[name] }

    /// What each `RUN` gets, but for the proxies: environment and arguments. Where both have a name, the later counts.
    public var stepEnvironment: [Assignment] {
        order.compactMap { name in values[name].map { Assignment(name: name, value: $0) } }
    }

    /// Whether it has a value, or is an argument without one.
    func isDeclared(_ name: String) -> Bool { values[name] != nil || argumentNames.contains(name) }

    /// The names that have a value.
    var names: [String] { order }

    /// What an `ARG` has without its own default: `--build-arg`, or else, if it has no default, the global one's value.
    func given(_ argument: Argument) -> String? {
        scope.given[argument.name] ?? (argument.value == nil ? scope.values[argument.name] : nil)
    }

    /// Takes over what an instruction sets, once it is expanded.
    public mutating func apply(_ instruction: Instruction) {
        switch instruction {
        case .env(let assignments): for assignment in assignments { setEnvironment(assignment) }
        case .arg(let arguments):
            for argument in arguments {
                if argumentNames.insert(argument.name).inserted { self.arguments.append(argument.name) }
                if let value = argument.value { set(argument.name, value) }
            }
        default: break
        }
    }

    private mutating func setEnvironment(_ assignment: Assignment) {
        set(assignment.name, assignment.value)
        if let index = environmentIndex[assignment.name] {
            environment[index] = assignment
        } else {
            environmentIndex[assignment.name] = environment.count
            environment.append(assignment)
        }
    }

    private mutating func set(_ name: String, _ value: String) {
        if values.updateValue(value, forKey: name) == nil { order.append(name) }
    }
}
