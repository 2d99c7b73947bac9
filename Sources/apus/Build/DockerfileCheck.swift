import Dockerfiles
import Linux

/// `apus build --check`: what is amiss with a Dockerfile that can be built nonetheless.
enum DockerfileCheck {
    /// Prints a line for each, with the line that it is about; nothing where neither user nor Dockerfile asks for it.
    ///
    /// - Parameter isAsked: Whether the user asks, who is told, too, that nothing was found.
    /// - Returns: Whether there is none.
    static func passes(_ dockerfile: Dockerfile, ignoring rules: IgnoreRules, isAsked: Bool) throws -> Bool {
        guard isAsked || dockerfile.directives.checksAreErrors else { return true }
        let warnings = try dockerfile.warnings(ignoring: rules)
        for warning in warnings {
            let number = warning.place.lines.lowerBound
            Output.line("\(dockerfile.name):\(number): \(warning.rule.rawValue): \(warning.message)".harmless)
            if dockerfile.lines.indices.contains(number - 1) {
                Output.line("  \(dockerfile.lines[number - 1].harmless)")
            }
        }
        switch warnings.count {
        case 0: if isAsked { Output.line("Check complete, no warnings found.") }
        case 1: Output.line("Check complete, 1 warning has been found!")
        default: Output.line("Check complete, \(warnings.count) warnings have been found!")
        }
        return warnings.isEmpty
    }
}
