import Linux

/// Makes a filter program several times smaller without changing any answer of it.
///
/// libseccomp spends two instructions on each call of each architecture, and the kernel some 0.2 µs on each
/// instruction when a filter is installed, in every run. But profiles treat neighbouring numbers alike. So the program
/// is asked what it does with every number, and what comes out is written down as a search among ranges of numbers;
/// only the parts that look at arguments are kept as they are.
struct BPFCompaction {
    private let original: [BPFInstruction]

    /// What the program does with a number.
    private enum Outcome: Hashable {
        case answer(UInt32)
        /// It looks at an argument, in the instruction at this position.
        case code(at: Int)
    }

    /// Numbers that are treated alike, up to where the next range begins.
    private struct Range {
        var first: UInt32
        var outcome: Outcome
    }

    /// - Parameter architectures: The audit numbers that the program tells apart.
    /// - Returns: `program` itself if it does what this cannot follow, or is smaller already.
    static func compact(_ program: [UInt8], for architectures: [UInt32]) -> [UInt8] {
        let compaction = BPFCompaction(original: BPFInstruction.decode(program))
        guard let compact = compaction.rewritten(for: architectures), compact.count < compaction.original.count else {
            return program
        }
        return BPFInstruction.encode(compact)
    }

    private func rewritten(for architectures: [UInt32]) -> [BPFInstruction]? {
        // Any number that is none of the architectures stands for all those.
        let other = (UInt32(0)...).first { !architectures.contains($0) }!
        guard let foreign = ranges(for: other), foreign.count == 1 else { return nil }
        var parts: [[BPFInstruction]] = []
        var kept: Set<Int> = []
        var searches: [[Range]] = []
        for architecture in architectures {
            guard let ranges = ranges(for: architecture) else { return nil }
            searches.append(ranges)
        }
        for range in searches.joined() + foreign { if case .code(let entry) = range.outcome { keep(entry, in: &kept) } }
        let order = kept.sorted()
        let positions = Dictionary(uniqueKeysWithValues: zip(order, order.indices))

        parts = searches.map { [.load(BPFInstruction.Field.number)] + search($0) }
        // Before the parts: one load, two instructions for each architecture, and what the foreign ones get.
        var head: [BPFInstruction] = [.load(BPFInstruction.Field.architecture)]
        var start = 2 + 2 * architectures.count
        let tail = start + parts.reduce(0) { $0 + $1.count }
        for (architecture, part) in zip(architectures, parts) {
            head.append(
                .jump(
                    BPFInstruction.Code.jumpIfEqual, architecture, then: head.count + 1, else: head.count + 2,
                    at: head.count))
            head.append(.jump(over: start - head.count - 1))
            start += part.count
        }
        head.append(leaf(foreign[0].outcome))
        var result = head + parts.joined()
        for index in result.indices where result[index].code == Self.toKept {
            guard let position = positions[Int(result[index].operand)] else { return nil }
            result[index] = .jump(over: tail + position - index - 1)
        }
        return result + order.map { moved($0, positions) }
    }

    // MARK: - Asking the program

    /// What the program does with each number of this architecture.
    private func ranges(for architecture: UInt32) -> [Range]? {
        var ranges: [Range] = []
        for first in boundaries {
            guard let outcome = outcome(architecture, number: first) else { return nil }
            if ranges.last?.outcome != outcome { ranges.append(Range(first: first, outcome: outcome)) }
        }
        return ranges
    }

    /// Numbers between which nothing can change: the program compares, and compares with nothing else.
    private var boundaries: [UInt32] {
        var found: Set<UInt32> = [0]
        for one in original where one.code & BPFInstruction.Code.classMask == BPFInstruction.Code.jumpClass {
            found.insert(one.operand)
            found.insert(one.operand &+ 1)
        }
        return found.sorted()
    }

    /// - Returns: `nil` where an instruction is met that is not understood here.
    private func outcome(_ architecture: UInt32, number: UInt32) -> Outcome? {
        var position = 0
        var loaded: UInt32 = 0
        while position < original.count {
            let one = original[position]
            position += 1
            switch one.code {
            case BPFInstruction.Code.answer: return .answer(one.operand)
            case BPFInstruction.Code.load where one.operand == BPFInstruction.Field.number: loaded = number
            case BPFInstruction.Code.load where one.operand == BPFInstruction.Field.architecture: loaded = architecture
            case BPFInstruction.Code.load: return .code(at: position - 1)
            case BPFInstruction.Code.jump: position += Int(one.operand)
            case BPFInstruction.Code.jumpIfEqual: position += Int(loaded == one.operand ? one.ifTrue : one.ifFalse)
            case BPFInstruction.Code.jumpIfGreater: position += Int(loaded > one.operand ? one.ifTrue : one.ifFalse)
            case BPFInstruction.Code.jumpIfGreaterOrEqual:
                position += Int(loaded >= one.operand ? one.ifTrue : one.ifFalse)
            default: return nil
            }
        }
        return nil
    }

    // MARK: - Keeping what looks at arguments

    /// Marks every instruction that can be reached from `entry`.
    private func keep(_ entry: Int, in kept: inout Set<Int>) {
        var waiting = [entry]
        while let position = waiting.popLast() {
            guard position < original.count, kept.insert(position).inserted else { continue }
            waiting += followers(of: position)
        }
    }

    private func followers(of position: Int) -> [Int] {
        let one = original[position]
        switch one.code & BPFInstruction.Code.classMask {
        case BPFInstruction.Code.answerClass: return []
        case BPFInstruction.Code.jumpClass where one.code == BPFInstruction.Code.jump:
            return [position + 1 + Int(one.operand)]
        case BPFInstruction.Code.jumpClass: return [position + 1 + Int(one.ifTrue), position + 1 + Int(one.ifFalse)]
        default: return [position + 1]
        }
    }

    /// The kept instruction with its jumps as far as they are now: never further than before, as the order is the same.
    private func moved(_ position: Int, _ positions: [Int: Int]) -> BPFInstruction {
        var one = original[position]
        guard one.code & BPFInstruction.Code.classMask == BPFInstruction.Code.jumpClass else { return one }
        let targets = followers(of: position).map { positions[$0]! - positions[position]! - 1 }
        if one.code == BPFInstruction.Code.jump {
            one.operand = UInt32(targets[0])
        } else {
            one.ifTrue = UInt8(targets[0])
            one.ifFalse = UInt8(targets[1])
        }
        return one
    }

    // MARK: - Writing the search

    /// Stands for a jump to a kept instruction, by its old position, until all positions are known.
    private static let toKept: UInt16 = 0xffff

    private func leaf(_ outcome: Outcome) -> BPFInstruction {
        switch outcome {
        case .answer(let action): .answer(action)
        case .code(let entry): BPFInstruction(code: Self.toKept, operand: UInt32(entry))
        }
    }

    /// A binary search among `ranges`, whose comparisons share their leaves at the end.
    private func search(_ ranges: [Range]) -> [BPFInstruction] {
        var leaves: [Outcome] = []
        for range in ranges where !leaves.contains(range.outcome) { leaves.append(range.outcome) }
        guard ranges.count + leaves.count < 256 else {
            // A conditional jump spans no more than 255 instructions: two searches, and one that chooses.
            let middle = ranges.count / 2
            let lower = search(Array(ranges[..<middle]))
            return [
                .jump(BPFInstruction.Code.jumpIfGreaterOrEqual, ranges[middle].first, then: 1, else: 2, at: 0),
                .jump(over: lower.count),
            ] + lower + search(Array(ranges[middle...]))
        }
        var comparisons: [BPFInstruction] = []
        func write(_ part: ArraySlice<Range>) -> Int {
            if part.count == 1 { return ranges.count - 1 + leaves.firstIndex(of: part.first!.outcome)! }
            let middle = (part.startIndex + part.endIndex) / 2
            let position = comparisons.count
            comparisons.append(.jump(over: 0))  // its place; what it is depends on how long its branches get
            let lower = write(part[..<middle])
            let upper = write(part[middle...])
            comparisons[position] = .jump(
                BPFInstruction.Code.jumpIfGreaterOrEqual, part[middle].first, then: upper, else: lower, at: position)
            return position
        }
        _ = write(ranges[...])
        return comparisons + leaves.map(leaf)
    }
}
