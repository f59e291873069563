// Where the time of the steps went, seen from the thread that walks them.
#pragma once

namespace r1eval {

struct StepTimes {
  double total_s = 0;
  double products_s = 0;   // linear layers, the output head among them
  double attention_s = 0;  // scores, softmax and weighted sums over the cache
};

}  // namespace r1eval
