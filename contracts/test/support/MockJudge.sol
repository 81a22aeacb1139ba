// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Exhibit, IReportJudge, Law, Tolerances} from "../../src/interfaces/IReportJudge.sol";

/// @dev Finds guilty what says so itself: an exhibit whose vol is 666,666. For tests of everything around judging.
contract MockJudge is IReportJudge {
    function breaks(
        Law law,
        uint64,
        Exhibit[] calldata exhibits,
        Tolerances calldata
    ) external pure returns (bool) {
        if (exhibits.length == 0) revert ExhibitsDoNotFit(law);
        for (uint256 i = 0; i < exhibits.length; ++i) {
            if (exhibits[i].param.iv() == 666_666) return true;
        }
        return false;
    }
}
