/// What a stage takes from: another stage, or something from outside.
public enum StageSource: Sendable, Equatable {
    /// By its index.
    case stage(Int)
    /// An image, a named context, or `scratch`.
    case other(String)
}

extension Dockerfile {
    /// The stages that a target needs, in the order in which they are written; the target is one of them.
    ///
    /// - Parameters:
    ///   - target: A stage's name or number; `nil` for the last one.
    ///   - scope: What `FROM` uses; `nil` for the defaults.
    ///   - contexts: Names that stand for something from outside, whatever stages there are.
    /// - Throws: For a target that there is not, for stages that come later, and for those that need each other.
    public func stages(
        neededFor target: String?, in scope: GlobalScope? = nil, contexts: Set<String> = []
    ) throws(DockerfileError) -> [Int] {
        var known = GlobalScope()
        if let scope { known = scope } else { known = try globalScope() }
        return try StageGraph(self, in: known, contexts: contexts).needed(for: try stageIndex(of: target))
    }

    /// - Parameter target: A stage's name or number; `nil` for the last one.
    /// - Throws: If there is none.
    public func stageIndex(of target: String?) throws(DockerfileError) -> Int {
        guard let target else { return stages.count - 1 }
        let name = target.lowercased()
        if let index = stages.lastIndex(where: { $0.name == name }) { return index }
        if let index = Int(target), stages.indices.contains(index) { return index }
        let names = stages.compactMap(\.name)
        throw DockerfileError(
            file: self.name, line: 0, what: "no stage is named '\(target)'",
            remedy: didYouMean(name, among: names)
                ?? (names.isEmpty
                    ? "name one by 'FROM IMAGE AS \(target)'" : "there are \(names.joined(separator: ", "))"))
    }

    /// What `FROM` of the stage at `index` names, expanded.
    public func source(
        ofBase base: String, at index: Int, contexts: Set<String> = []
    ) -> StageSource {
        if contexts.contains(base) { return .other(base) }
        return stages[..<index].lastIndex { $0.name == base.lowercased() }.map { .stage($0) } ?? .other(base)
    }

    /// What `COPY --from` or `from=` of a mount names in the stage at `index`.
    ///
    /// - Parameter place: Of the instruction.
    /// - Throws: For the number of a stage that there is not.
    public func source(
        ofReference name: String, at index: Int, contexts: Set<String> = [], place: Place
    ) throws(DockerfileError) -> StageSource {
        if contexts.contains(name) { return .other(name) }
        let lowercased = name.lowercased()
        let earlier = stages[..<index].lastIndex { $0.name == lowercased }
        if let found = earlier ?? stages.firstIndex(where: { $0.name == lowercased }) { return .stage(found) }
        guard let number = Int(name) else { return .other(name) }
        guard stages.indices.contains(number) else {
            throw error(
                SyntaxError("there is no stage \(number)", remedy: "the first is 0, the last \(stages.count - 1)"),
                at: place, near: "from=\(name)")
        }
        return .stage(number)
    }
}

/// Which stage needs which.
struct StageGraph {
    private struct Edge {
        var target: Int
        /// As it is written.
        var name: String
        var place: Place
    }

    private let dockerfile: Dockerfile
    /// By stage.
    private var edges: [[Edge]] = []

    init(_ dockerfile: Dockerfile, in scope: GlobalScope, contexts: Set<String>) throws(DockerfileError) {
        self.dockerfile = dockerfile
        for (index, stage) in dockerfile.stages.enumerated() {
            // What comes from outside needs nothing.
            if let name = stage.name, contexts.contains(name) {
                edges.append([])
                continue
            }
            var found: [Edge] = []
            let base = try dockerfile.base(of: stage, in: scope).name
            if case .stage(let target) = dockerfile.source(ofBase: base, at: index, contexts: contexts) {
                found.append(Edge(target: target, name: base, place: stage.place))
            }
            for statement in stage.statements {
                for name in statement.instruction.references {
                    let source = try dockerfile.source(
                        ofReference: name, at: index, contexts: contexts, place: statement.place)
                    guard case .stage(let target) = source else { continue }
                    found.append(Edge(target: target, name: name, place: statement.place))
                }
            }
            edges.append(found)
        }
    }

    /// The stages that `target` needs, it among them, in the order of the file.
    func needed(for target: Int) throws(DockerfileError) -> [Int] {
        var needed: Set<Int> = [target]
        var rest = [target]
        while let stage = rest.popLast() {
            for edge in edges[stage] {
                guard edge.target < stage else { throw forward(edge, from: stage) }
                if needed.insert(edge.target).inserted { rest.append(edge.target) }
            }
        }
        return needed.sorted()
    }

    /// A stage that takes from one that is not there yet.
    private func forward(_ edge: Edge, from stage: Int) -> DockerfileError {
        let error: SyntaxError
        if edge.target == stage {
            error = SyntaxError("the stage '\(edge.name)' takes from itself", remedy: "name an earlier stage")
        } else if isReachable(stage, from: edge.target) {
            let own = dockerfile.stages[stage].name ?? "\(stage)"
            error = SyntaxError(
                "the stages '\(own)' and '\(edge.name)' need each other", remedy: "put what both need into a third")
        } else {
            error = SyntaxError("the stage '\(edge.name)' comes later", remedy: "move it before this one")
        }
        return dockerfile.error(error, at: edge.place, near: "from=\(edge.name)")
    }

    private func isReachable(_ target: Int, from start: Int) -> Bool {
        var seen: Set<Int> = [start]
        var rest = [start]
        while let stage = rest.popLast() {
            for edge in edges[stage] where seen.insert(edge.target).inserted { rest.append(edge.target) }
        }
        return seen.contains(target)
    }
}

extension Instruction {
    /// The stages, images and contexts that it takes files from, as they are written.
    public var references: [String] {
        switch self {
        case .copy(let copy), .add(let copy): copy.from.map { [$0] } ?? []
        case .run(let run): run.mounts.compactMap(\.from)
        default: []
        }
    }
}
